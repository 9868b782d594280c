/* SPDX-License-Identifier: MIT */
/* Takes one layer out of the bundle, checks it on the way, and hands its members to sinks. */
#ifndef PYPACK_UNPACK_UNPACK_H
#define PYPACK_UNPACK_UNPACK_H

#include "base/report.h"
#include "base/system.h"
#include "format/layer.h"
#include "format/sink.h"

/*
 * Nothing reaches a sink before its frame's sha256 was compared (app layer: it is compared before this returns).
 * Memory: a packed and an unpacked frame for each of at most four threads.
 * Returns EXIT_FINE, EXIT_PAYLOAD, EXIT_NO_SELF, or what a sink answered.
 */
int unpack_layer(handle bundle, const struct layer *layer, const struct sink_maker *maker, struct progress *progress,
                 struct fault *fault);

#endif
