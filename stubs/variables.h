/* SPDX-License-Identifier: MIT */
/* How the environment of Python differs from ours. */
#ifndef PYPACK_VARIABLES_H
#define PYPACK_VARIABLES_H

#include <stdbool.h>

#include "base/system.h"
#include "cache/launcher.h"

bool wants_interpreter(const struct launcher *launcher); /* PYPACK_INTERPRETER */
/* Fill all of `changes` that has to do with variables; `added` gets them, each in memory of its own. `strict` is known. */
#define ADDED_MOST 4
void variables_change(const struct launcher *launcher, struct changes *changes, char **added);

#endif
