/* SPDX-License-Identifier: MIT */
#include "cache/usable.h"

#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/apps.h"
#include "cache/launcher.h"
#include "cache/layers.h"
#include "cache/prepare.h"
#include "exit_codes.h"
#include "format/layer.h"

int cache_check_usable(struct launcher *launcher)
{
    struct text why = {0};
    app_choose(launcher);
    uint64_t missing = app_is_present(launcher) ? 0 : 1;
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++) {
        const struct layer *layer = &launcher->bundle.layers[i];
        missing += layer_is_present(launcher, layer) ? 0 : layer->unpacked + 1;
    }
    int code = missing && launcher->read_only ? cache_prepare(launcher) : EXIT_FINE;
    if (code == EXIT_FINE && !root_is_usable(launcher->root, missing, &why))
        code = fault_set(&launcher->fault, TRY_NEXT_CACHE, "", "%s", text_of(&why));
    text_free(&why);
    return code;
}
