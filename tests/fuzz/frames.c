/* SPDX-License-Identifier: MIT */
/* The frame table: number of frames, unpacked size and bytes behind the table (4 each), then the table. */
#include "format/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "exit_codes.h"
#include "harness.h"

#define HEAD 12

FUZZ(frames)
{
    if (size < HEAD)
        return 0;
    struct layer layer = {.kind = LAYER_RUNTIME, .offset = 4096, .frames = le32(data), .unpacked = le32(data + 4)};
    layer.size = size - HEAD + (uint64_t)le32(data + 8);
    uint64_t wanted = frames_table_size(&layer);
    must(wanted <= layer.size);
    if (wanted > size - HEAD)
        return 0; /* the launcher reads all of it, or tells that the file became shorter */
    uint8_t *table = exact(data + HEAD, (size_t)wanted);
    struct frames frames;
    struct fault fault = {0};
    mend_layer(table, (size_t)wanted, layer.frames, layer.identity);
    int code = frames_read(table, &layer, &frames, &fault);
    for (size_t i = 0; code == EXIT_FINE && i < frames.count; i++) {
        const struct frame *frame = &frames.list[i];
        must(frame->offset >= layer.offset && fits(frame->offset - layer.offset, frame->packed, layer.size));
        must(frame->packed <= frames.packed_most && frame->unpacked <= frames.unpacked_most);
    }
    must(code != EXIT_FINE || (frames.packed_most <= FRAME_PACKED_MOST && frames.unpacked_most <= FRAME_MOST));
    answered(code, EXIT_PAYLOAD, EXIT_PAYLOAD, &fault);
    frames_free(&frames);
    free(table);
    return 0;
}
