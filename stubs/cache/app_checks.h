/* SPDX-License-Identifier: MIT */
/* What a program needs, before anything is written. */
#ifndef PYPACK_CACHE_APP_CHECKS_H
#define PYPACK_CACHE_APP_CHECKS_H

#include "cache/launcher.h"

/* What the launch block asks of the system against what there is. What cannot be found out is left to the start itself. */
int app_check_system(struct launcher *launcher);
/* Python and musl's loader take lists of folders, and cannot be told of one whose name holds what parts the list. */
int app_check_root(struct launcher *launcher);

#endif
