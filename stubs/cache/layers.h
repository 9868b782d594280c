/* SPDX-License-Identifier: MIT */
/* The parts of the program in the cache. */
#ifndef PYPACK_CACHE_LAYERS_H
#define PYPACK_CACHE_LAYERS_H

#include <stdbool.h>

#include "cache/launcher.h"
#include "format/layer.h"

bool layer_is_present(const struct launcher *launcher, const struct layer *layer);
/* Make sure that a layer is unpacked; `anew` replaces even one that looks whole. */
int layer_prepare(struct launcher *launcher, const struct layer *layer, bool anew);
int layers_prepare(struct launcher *launcher);

#endif
