/* SPDX-License-Identifier: MIT */
/* What differs in apps/<id>/. */
#ifndef PYPACK_CACHE_APP_REPAIR_H
#define PYPACK_CACHE_APP_REPAIR_H

#include "base/text.h"
#include "cache/launcher.h"

/* The files of one that is ours that are not what they must be, each ended by a zero byte. */
void app_find_damage(const struct launcher *launcher, struct text *paths);
/* Put those that are damaged into their places, and leave all else that was installed there alone. `paths` tells which. */
int app_repair(struct launcher *launcher, struct text *paths);

#endif
