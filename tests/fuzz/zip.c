/* SPDX-License-Identifier: MIT */
/* The local entries of app.zip, by the window that moves over them. */
#include "unpack/unpack_app.h"

#include "exit_codes.h"
#include "harness.h"

FUZZ(zip)
{
    struct layer layer = {.kind = LAYER_APP, .size = size, .unpacked = size};
    struct sink_maker maker = {.make = strict_sink, .folder = ""};
    struct report report = {.name = "fuzz"};
    struct progress progress = {.report = &report};
    struct fault fault = {0};
    sha256_of(data, size, layer.identity);
    int code = unpack_app(file_of(data, size), &layer, &maker, &progress, &fault);
    must(code != EXIT_FINE || progress.done == size);
    answered(code, EXIT_PAYLOAD, EXIT_PAYLOAD, &fault);
    return 0;
}
