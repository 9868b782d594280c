/* SPDX-License-Identifier: MIT */
/* Sinks for a folder: into a new tree, into a comparison with one that stands, or nowhere. */
#ifndef PYPACK_UNPACK_SINKS_H
#define PYPACK_UNPACK_SINKS_H

#include "base/report.h"
#include "format/sink.h"

struct sink *writing_sink(const struct sink_maker *maker, struct fault *fault);
struct sink *checking_sink(const struct sink_maker *maker, struct fault *fault); /* keeps nothing */
struct sink *comparing_sink(const struct sink_maker *maker, struct fault *fault);

#endif
