/* SPDX-License-Identifier: MIT */
/* The launch block alone: lines that the trailer's check would hide from mutations. */
#include <stdlib.h>

#include "exit_codes.h"
#include "harness.h"

FUZZ(launch_block)
{
    char *block = (char *)exact(data, size);
    struct bundle bundle = {0};
    struct fault fault = {0};
    int code = launch_read(block, size, &bundle.launch, &fault);
    if (code == EXIT_FINE)
        must(path_stays_inside(bundle.launch.name) && path_stays_inside(bundle.launch.python));
    answered(code, EXIT_TRAILER, EXIT_TRAILER, &fault);
    bundle_free(&bundle);
    free(block);
    return 0;
}
