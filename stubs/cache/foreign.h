/* SPDX-License-Identifier: MIT */
/* What stands in a layer and is not of the bundle. */
#ifndef PYPACK_CACHE_FOREIGN_H
#define PYPACK_CACHE_FOREIGN_H

#include <stdbool.h>

#include "base/text.h"
#include "cache/launcher.h"
#include "format/layer.h"
#include "format/sink.h"

/* Its paths, each ended by a zero byte; `traces`: also what the system or Python leaves in folders. */
void foreign_find(const char *folder, const struct members *members, bool traces, struct text *foreign);
/* Move it to a new folder in kept/, and say so in `lines`. */
int foreign_keep(struct launcher *launcher, const struct layer *layer, const struct text *foreign, struct text *lines);

#endif
