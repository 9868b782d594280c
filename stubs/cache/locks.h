/* SPDX-License-Identifier: MIT */
/* Locks in the cache. */
#ifndef PYPACK_CACHE_LOCKS_H
#define PYPACK_CACHE_LOCKS_H

#include <stdbool.h>

#include "base/system.h"
#include "cache/launcher.h"

/* One process at a time makes `name`; others wait, a minute in all. NO_HANDLE then, and where the file system has no locks. */
int cache_lock(struct launcher *launcher, const char *name, handle *lock);
/* The same without waiting: false where somebody else holds it, or there are no locks. */
bool cache_lock_now(struct launcher *launcher, const char *name, handle *lock);
/* Layers that no program names are removed under this lock only, and programs appear under it only. */
#define CACHE_GC_LOCK "cleaning"
int cache_lock_gc(struct launcher *launcher, handle *lock);

#endif
