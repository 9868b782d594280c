/* SPDX-License-Identifier: MIT */
/* Starting the program. */
#ifndef PYPACK_START_H
#define PYPACK_START_H

#include "cache/launcher.h"

/* Everything from an empty cache to the running program; returns on failure only. */
int start_program(struct launcher *launcher);
int start_dry(struct launcher *launcher);

#endif
