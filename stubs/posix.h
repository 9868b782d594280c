/* SPDX-License-Identifier: MIT */
/* What the POSIX files share. */
#ifndef PYPACK_POSIX_H
#define PYPACK_POSIX_H

#include "system.h"

/* Descriptors 0 to 2 may be closed when we start; nothing of ours may end up there. Returns -1 with errno kept. */
int posix_above_standard(int file);

#endif
