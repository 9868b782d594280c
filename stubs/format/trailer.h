/* SPDX-License-Identifier: MIT */
/* What the end of a bundle says about it (docs/bundle-format.md). Reading is a function of memory alone. */
#ifndef PYPACK_FORMAT_TRAILER_H
#define PYPACK_FORMAT_TRAILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"
#include "format/launch_block.h"
#include "format/layer.h"

#define TRAILER_MOST 65535
#define TRAILER_PADDED 40 /* bytes that show how many zero bytes a signer put behind a trailer */
#define LAYERS_MOST 3

struct bundle {
    char *bytes; /* the trailer; all strings point into it */
    size_t size;
    char id[33];
    struct layer layers[LAYERS_MOST];
    unsigned layer_count;
    struct launch launch;
};

const struct layer *bundle_layer(const struct bundle *bundle, enum layer_kind kind);

/* How many bytes the trailer at the end of `tail` says that it has, which may be more than `size`; 0 where there is none. */
size_t trailer_size(const uint8_t *tail, size_t size);
/*
 * Read the trailer out of `tail`, the last bytes of the payload, which ends at `end` of the bundle.
 * Returns EXIT_FINE, EXIT_NO_BUNDLE or EXIT_TRAILER.
 */
int trailer_read(const uint8_t *tail, size_t size, uint64_t end, struct bundle *bundle, struct fault *fault);
/* How many zero bytes, at most 7, stand behind the trailer at the end of `tail`; 0 where there is no trailer. */
size_t trailer_padding(const uint8_t *tail, size_t size);
/* All offsets in a trailer count from the start of the payload: turn them into those of the file. */
void bundle_set_base(struct bundle *bundle, uint64_t base);
void bundle_free(struct bundle *bundle);

#endif
