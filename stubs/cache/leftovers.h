/* SPDX-License-Identifier: MIT */
/* What killed processes have left in tmp/. */
#ifndef PYPACK_CACHE_LEFTOVERS_H
#define PYPACK_CACHE_LEFTOVERS_H

#include "base/system.h"
#include "cache/launcher.h"

/* Remove what there is of `name`. Without its lock that may be somebody's work: then nothing is done. */
void cache_remove_leftovers(struct launcher *launcher, const char *name, handle lock);
/* The same, and its lock, unless somebody holds that. */
void cache_remove_all_leftovers(struct launcher *launcher, const char *name);

#endif
