/* SPDX-License-Identifier: MIT */
/* Folders that come into their places and leave them. */
#ifndef PYPACK_CACHE_TRASH_H
#define PYPACK_CACHE_TRASH_H

#include <stdbool.h>

#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"

/*
 * Put a draft into its place, once it is on the disk. What stands there goes, unless `is_sound` (or NULL) says that it is what we
 * wanted to make.
 */
typedef bool sound_check(const struct launcher *launcher, const void *what);
int cache_publish(struct launcher *launcher, const char *name, const char *draft, const char *final, sound_check *is_sound,
              const void *what);
/* Out of the way in one step, then gone. */
int cache_discard(struct launcher *launcher, const char *name, const char *path);
/* Out of the way in one step, and remembered in `trash`. It may be impossible (CLASS_CROSS_DEVICE and others). */
oserr cache_trash(struct launcher *launcher, const char *path);
/* Remove what is in `trash`. */
oserr cache_empty_trash(struct launcher *launcher);
oserr trash_remove(const struct text *paths); /* each ended by a zero byte */

#endif
