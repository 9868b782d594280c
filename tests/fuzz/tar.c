/* SPDX-License-Identifier: MIT */
/* A tar that comes in pieces: how large they are (1 byte, in units of 64; 0: one piece), then the tar. */
#include "format/tar.h"

#include <stdlib.h>

#include "exit_codes.h"
#include "harness.h"

FUZZ(tar)
{
    if (size < 1)
        return 0;
    size_t most = data[0] ? (size_t)data[0] * 64 : size;
    uint8_t *whole = exact(data + 1, size - 1);
    struct fault fault = {0};
    struct tar tar = {.sink = strict_sink(NULL, &fault)};
    int code = EXIT_FINE;
    mend_tar(whole, size - 1);
    for (size_t at = 0; at < size - 1 && code == EXIT_FINE;) {
        size_t part = size - 1 - at < most ? size - 1 - at : most;
        uint8_t *piece = exact(whole + at, part);
        code = tar_take(&tar, piece, part, &fault);
        free(piece);
        at += part;
    }
    if (code == EXIT_FINE)
        code = tar_finish(&tar, &fault);
    answered(code, EXIT_PAYLOAD, EXIT_PAYLOAD, &fault);
    tar.sink->close(tar.sink);
    tar_free(&tar);
    free(whole);
    return 0;
}
