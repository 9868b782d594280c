/* SPDX-License-Identifier: MIT */
/* apps/<id>/ as a whole. */
#ifndef PYPACK_CACHE_APPS_H
#define PYPACK_CACHE_APPS_H

#include <stdbool.h>

#include "cache/launcher.h"

/* Find its name out. */
void app_choose(struct launcher *launcher);
bool app_is_present(const struct launcher *launcher);
/* Make sure that it stands, and hold a shared lock on it in `app_lock`. */
int app_prepare(struct launcher *launcher);
void app_release(struct launcher *launcher);

#endif
