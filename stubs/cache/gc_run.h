/* SPDX-License-Identifier: MIT */
/* When what leaves the cache is removed. */
#ifndef PYPACK_CACHE_GC_RUN_H
#define PYPACK_CACHE_GC_RUN_H

#include "cache/launcher.h"

/*
 * After a start that unpacked something: take out of use what was not used for long, what is too much, what is left over. Then
 * remove it, and whatever is in the trash, beside the program, which does not wait for that.
 */
void gc_start(struct launcher *launcher);
void gc_finish(struct launcher *launcher); /* the same, but wait */

#endif
