/* SPDX-License-Identifier: MIT */
/* A whole payload, from its trailer to the last member of its layers. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "exit_codes.h"
#include "unpack/unpack.h"
#include "harness.h"

#define FOOT 96
#define ROW 72

/* Make the hashes in the layer table those of the layers, where the table stands inside of the bytes. */
static void mend_table(uint8_t *bytes, size_t size)
{
    const uint8_t *foot = bytes + size - FOOT;
    uint32_t whole = le32(foot + 32), table = le32(foot + 44), count = le32(foot + 48);
    if (whole < FOOT || whole > size || count > LAYERS_MOST || !fits(table, (uint64_t)count * ROW, whole))
        return;
    for (uint8_t *row = bytes + size - whole + table; count; count--, row += ROW) {
        uint64_t offset = le64(row + 8), length = le64(row + 16);
        if (!fits(offset, length, size - whole))
            continue;
        if (le32(row) == LAYER_APP)
            sha256_of(bytes + offset, (size_t)length, row + 40);
        else
            mend_layer(bytes + offset, (size_t)length, le32(row + 32), row + 40);
    }
}

FUZZ(bundle)
{
    uint8_t *bytes = exact(data, size);
    struct bundle bundle;
    struct fault fault = {0};
    struct report report = {.name = "fuzz"};
    struct progress progress = {.report = &report};
    struct sink_maker maker = {.make = strict_sink, .folder = ""};
    if (size >= FOOT)
        mend_table(bytes, size);
    mend_trailer(bytes, size);
    handle file = file_of(bytes, size);
    size_t part = size < TRAILER_MOST ? size : TRAILER_MOST;
    int code = trailer_read(bytes + size - part, part, size, &bundle, &fault);
    free(bytes);
    if (code) {
        answered(code, EXIT_NO_BUNDLE, EXIT_TRAILER, &fault);
        return 0;
    }
    for (unsigned i = 0; i < bundle.layer_count && code == EXIT_FINE; i++)
        code = unpack_layer(file, &bundle.layers[i], &maker, &progress, &fault);
    answered(code, EXIT_PAYLOAD, EXIT_PAYLOAD, &fault);
    bundle_free(&bundle);
    return 0;
}
