/* SPDX-License-Identifier: MIT */
/* The app layer: the local entries of a zip. */
#ifndef PYPACK_UNPACK_UNPACK_APP_H
#define PYPACK_UNPACK_UNPACK_APP_H

#include "base/report.h"
#include "base/system.h"
#include "format/layer.h"
#include "format/sink.h"

/* Hand its members to sinks; its sha256 is compared before this returns. Otherwise as unpack_layer(). */
int unpack_app(handle bundle, const struct layer *layer, const struct sink_maker *maker, struct progress *progress,
               struct fault *fault);

#endif
