/* SPDX-License-Identifier: MIT */
/* Takes one layer out of the bundle, checks it on the way, and hands its members to sinks. */
#ifndef PYPACK_UNPACK_H
#define PYPACK_UNPACK_H

#include "sink.h"
#include "system.h"
#include "trailer.h"

/*
 * Nothing reaches a sink before its frame's sha256 was compared (app layer: it is compared before this returns).
 * Memory: a packed and an unpacked frame for each of at most four threads.
 * Returns EXIT_FINE, EXIT_PAYLOAD, EXIT_NO_SELF, or what a sink answered.
 */
int unpack_layer(handle bundle, const struct layer *layer, const struct sink_maker *maker, struct progress *progress,
                 struct fault *fault);

/* The app layer's part of it. */
int unpack_app(handle bundle, const struct layer *layer, const struct sink_maker *maker, struct progress *progress,
               struct fault *fault);
/* Read exactly `size` bytes of the bundle. */
int bundle_read(handle bundle, void *bytes, size_t size, uint64_t offset, struct fault *fault);

#endif
