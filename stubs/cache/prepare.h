/* SPDX-License-Identifier: MIT */
/* The cache folder, before the first write to it. */
#ifndef PYPACK_CACHE_PREPARE_H
#define PYPACK_CACHE_PREPARE_H

#include "base/system.h"
#include "cache/launcher.h"

/* Make the folders, or say TRY_NEXT_CACHE. */
int cache_prepare(struct launcher *launcher);
/* The process's own file mode mask again. */
void cache_restore_modes(struct launcher *launcher);
/* Turn a system error into TRY_NEXT_CACHE with a text. */
int cache_fail(struct launcher *launcher, oserr error, const char *doing);

#endif
