/* SPDX-License-Identifier: MIT */
/* The commands that packages bring. */
#ifndef PYPACK_CACHE_COMMANDS_H
#define PYPACK_CACHE_COMMANDS_H

#include "base/system.h"
#include "cache/launcher.h"

oserr commands_write(const struct launcher *launcher, const char *draft);
/* Which script in apps/<id>, `folder`, an executable of this name stands for; NULL for the interpreter itself. */
char *command_script(const char *folder, const char *name);

#endif
