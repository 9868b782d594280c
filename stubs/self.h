/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF: what a bundle can do besides running its program. */
#ifndef PYPACK_SELF_H
#define PYPACK_SELF_H

#include "cache/launcher.h"

int self_command(struct launcher *launcher, const char *word);

#endif
