/* SPDX-License-Identifier: MIT */
/* What leaves the cache, and how it is chosen. */
#ifndef PYPACK_CACHE_GC_H
#define PYPACK_CACHE_GC_H

#include "cache/launcher.h"

/* What was not used for long, what is too much, what is left over: into the trash, under the lock that others wait for. */
void gc_collect(struct launcher *launcher);

#endif
