/* SPDX-License-Identifier: MIT */
/* Words that are for an interpreter. */
#ifndef PYPACK_RESPAWN_H
#define PYPACK_RESPAWN_H

#include <stdbool.h>

#include "cache/launcher.h"

/* Whether these are for an interpreter: the program itself would be started by them without an end. */
bool is_child_command(char *const *words);
int refuse_child(struct launcher *launcher);

#endif
