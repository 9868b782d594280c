/* SPDX-License-Identifier: MIT */
/* The last bytes of a payload: trailer, layer table, launch block. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "exit_codes.h"
#include "harness.h"

static void check_strings(const struct launch *launch)
{
    must(strchr(launch->name, '/') == NULL && path_stays_inside(launch->name));
    must(path_stays_inside(launch->python) && path_stays_inside(launch->boot));
    must(!launch->site || path_stays_inside(launch->site));
    must(!launch->loader || path_stays_inside(launch->loader));
    for (size_t i = 0; i < launch->option_count; i++)
        must(strlen(launch->options[i]) < TRAILER_MOST);
    for (size_t i = 0; i < launch->path_count; i++)
        must(!*launch->paths[i].path || path_stays_inside(launch->paths[i].path));
    for (size_t i = 0; i < launch->sentinel_count; i++)
        must(path_stays_inside(launch->sentinels[i].path));
}

static void check_layers(struct bundle *bundle, uint64_t end)
{
    must(bundle->layer_count == 2 || bundle->layer_count == LAYERS_MOST);
    must(bundle_layer(bundle, LAYER_RUNTIME) && bundle_layer(bundle, LAYER_APP));
    for (unsigned i = 0; i < bundle->layer_count; i++) {
        must(fits(bundle->layers[i].offset, bundle->layers[i].size, end));
        must(strlen(bundle->layers[i].folder) == 32);
    }
    bundle_set_base(bundle, UINT64_MAX - end);
}

FUZZ(trailer)
{
    uint8_t *tail = exact(data, size);
    mend_trailer(tail, size);
    struct fault fault = {0};
    struct bundle bundle;
    uint64_t end = size >= 40 ? le64(tail + size - 40) : size; /* as long a file as it says it is */
    int code = trailer_read(tail, size, end, &bundle, &fault);
    must(trailer_padding(tail, size) < 8);
    free(tail); /* nothing points into it any more */
    if (code == EXIT_FINE) {
        check_layers(&bundle, end);
        check_strings(&bundle.launch);
        bundle_free(&bundle);
    }
    answered(code, EXIT_NO_BUNDLE, EXIT_TRAILER, &fault);
    return 0;
}
