/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzing harnesses share. Each harness is one function of some bytes, FUZZ(name): libFuzzer calls it, or replay.c.
 * A wrong answer of a reader ends the process by abort(), as a sanitizer would.
 */
#ifndef PYPACK_HARNESS_H
#define PYPACK_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "format/launch_block.h"
#include "format/sink.h"
#include "format/trailer.h"
#include "unpack/bundle_file.h"
#include "unpack/sinks.h"

#ifdef REPLAY
#define ENTRY(name) fuzz_##name
#else
#define ENTRY(name) LLVMFuzzerTestOneInput
#endif
#define FUZZ(name)                                                                                                     \
    int ENTRY(name)(const uint8_t *data, size_t size);                                                                 \
    int ENTRY(name)(const uint8_t *data, size_t size)

/* Abort with a word on what is wrong. */
#define must(holds) ((holds) ? (void)0 : wrong(#holds, __FILE__, __LINE__))
_Noreturn void wrong(const char *what, const char *file, int line);

/* The answer is EXIT_FINE or a code from `first` to `last` that `fault` tells of; `fault` is cleared. */
void answered(int code, int first, int last, struct fault *fault);
/* A copy of exactly that size, so that a sanitizer sees each byte that is read behind it. */
uint8_t *exact(const uint8_t *data, size_t size);
/* A file in memory with that content; always the same handle. */
handle file_of(const uint8_t *data, size_t size);

/* A sink that keeps nothing and holds the reader to the contract of sink.h. */
struct sink *strict_sink(const struct sink_maker *maker, struct fault *fault);

/* ---- hashes and sums made right, since no mutation would: a reader must hold where whoever made the file wrote them ---- */

void mend_trailer(uint8_t *tail, size_t size);
void mend_tar(uint8_t *tar, size_t size);
/* The sha256 of each frame of a layer and the layer's identity; nothing where it has no frame table. */
void mend_layer(uint8_t *bytes, size_t size, uint32_t frames, uint8_t identity[SHA256_SIZE]);

#endif
