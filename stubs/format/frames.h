/* SPDX-License-Identifier: MIT */
/* The frame table of a layer (docs/bundle-format.md). Reading is a function of memory alone. */
#ifndef PYPACK_FORMAT_FRAMES_H
#define PYPACK_FORMAT_FRAMES_H

#include "base/report.h"
#include "format/layer.h"

#define FRAME_MOST (UINT32_C(8) << 20)               /* unpacked */
#define FRAME_PACKED_MOST (FRAME_MOST + (UINT32_C(1) << 16)) /* more than zstd's own bound for that */

struct frame {
    uint64_t offset; /* in the bundle */
    uint32_t packed;
    uint32_t unpacked;
    bool continues_member; /* begins inside of a member's content */
    const uint8_t *sha256;
};

struct frames {
    struct frame *list;
    size_t count;
    uint32_t packed_most;
    uint32_t unpacked_most;
};

/* How many bytes at the start of the layer hold the table; 0 if it cannot be in there. */
uint64_t frames_table_size(const struct layer *layer);
/* Read the table out of those bytes; `frames` points into them. Returns EXIT_FINE or EXIT_PAYLOAD. */
int frames_read(const uint8_t *bytes, const struct layer *layer, struct frames *frames, struct fault *fault);
void frames_free(struct frames *frames);

#endif
