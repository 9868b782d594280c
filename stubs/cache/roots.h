/* SPDX-License-Identifier: MIT */
/* The folders that may become the cache. */
#ifndef PYPACK_CACHE_ROOTS_H
#define PYPACK_CACHE_ROOTS_H

#include "cache/launcher.h"

/* Try one after the other with `use`, until it answers something else than TRY_NEXT_CACHE. */
int cache_use_first(struct launcher *launcher, int (*use)(struct launcher *));

#endif
