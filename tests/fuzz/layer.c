/* SPDX-License-Identifier: MIT */
/* A whole layer: number of frames and unpacked size (4 each), then frame table and zstd frames of a tar. */
#include <stdlib.h>

#include "base/bytes.h"
#include "exit_codes.h"
#include "unpack/unpack.h"
#include "harness.h"

#define HEAD 8

FUZZ(layer)
{
    if (size < HEAD)
        return 0;
    struct layer layer = {.kind = LAYER_DEPS, .frames = le32(data), .unpacked = le32(data + 4), .size = size - HEAD};
    if (layer.frames == 0 || layer.size / 44 < layer.frames)
        return 0; /* no trailer says that */
    uint8_t *bytes = exact(data + HEAD, size - HEAD);
    struct sink_maker maker = {.make = strict_sink, .folder = ""};
    struct report report = {.name = "fuzz"};
    struct progress progress = {.report = &report};
    struct fault fault = {0};
    mend_layer(bytes, size - HEAD, layer.frames, layer.identity);
    int code = unpack_layer(file_of(bytes, size - HEAD), &layer, &maker, &progress, &fault);
    must(code != EXIT_FINE || progress.done == layer.unpacked);
    answered(code, EXIT_PAYLOAD, EXIT_PAYLOAD, &fault);
    free(bytes);
    return 0;
}
