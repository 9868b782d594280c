/* SPDX-License-Identifier: MIT */
#include "cache/layers.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "cache/drafts.h"
#include "cache/launcher.h"
#include "cache/leftovers.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "cache/trash.h"
#include "exit_codes.h"
#include "format/launch_block.h"
#include "format/layer.h"
#include "format/sink.h"
#include "unpack/sinks.h"
#include "unpack/unpack.h"

/* Whether what a start needs is in a folder with the content of a layer. */
static bool has_sentinels(const struct launcher *launcher, const struct layer *layer, const char *folder)
{
    const struct launch *launch = &launcher->bundle.launch;
    struct file_info info;
    bool sound = true;
    for (size_t i = 0; i < launch->sentinel_count && sound; i++) {
        const struct inside *sentinel = &launch->sentinels[i];
        if (sentinel->kind != layer->kind)
            continue;
        char *path = path_join(folder, sentinel->path, NULL);
        sound = file_stat(path, true, &info) == 0 && info.kind == KIND_FILE && info.size == sentinel->size;
        memory_free(path);
    }
    return sound;
}

bool layer_is_present(const struct launcher *launcher, const struct layer *layer)
{
    char *folder = layer_path(launcher, layer->kind, "");
    bool sound = folder_is_trusted(folder) /* it may be older than the rights of the folder that it is in */
                 && has_sentinels(launcher, layer, folder);
    memory_free(folder);
    return sound;
}

static bool is_sound(const struct launcher *launcher, const void *layer)
{
    return layer_is_present(launcher, layer);
}

/*
 * Unpack into a draft and put it into its place. Nobody writes into a layer, which is other programs' too: its folders are
 * closed when they are full, the outermost when it stands where it belongs.
 */
static int make_layer(struct launcher *launcher, const struct layer *layer, bool anew, handle lock)
{
    char *draft;
    cache_remove_leftovers(launcher, layer->folder, lock);
    int code = cache_draft(launcher, layer->folder, &draft);
    if (code)
        return code;
    struct progress progress;
    struct sink_maker maker = {.make = writing_sink, .folder = draft};
    progress_begin(&progress, &launcher->report, "preparing for the first start", layer->unpacked);
    progress.lock = lock;
    code = unpack_layer(launcher->file, layer, &maker, &progress, &launcher->fault);
    progress_end(&progress);
    char *final = layer_path(launcher, layer->kind, "");
    if (code == EXIT_FINE && !has_sentinels(launcher, layer, draft))
        code = fault_set(&launcher->fault, EXIT_PAYLOAD, BUILD_AGAIN,
                         "the %s part of this file does not hold what the file says it holds", layer_name(layer->kind));
    if (code == EXIT_FINE) {
        folder_seal(draft);
        code = cache_publish(launcher, layer->folder, draft, final, anew ? NULL : is_sound, layer);
    }
    if (code)
        folder_remove(draft);
    else
        folder_writable(final, false);
    memory_free(final);
    memory_free(draft);
    return code;
}

int layer_prepare(struct launcher *launcher, const struct layer *layer, bool anew)
{
    if (!anew && layer_is_present(launcher, layer))
        return EXIT_FINE;
    int code = cache_prepare(launcher);
    if (code)
        return code;
    handle lock;
    code = cache_lock(launcher, layer->folder, &lock);
    if (code)
        return code;
    if (anew || !layer_is_present(launcher, layer)) {
        report_debug(&launcher->report, "unpacking the %s layer, %llu bytes", layer_name(layer->kind),
                     (unsigned long long)layer->unpacked);
        code = make_layer(launcher, layer, anew, lock);
    }
    file_close(lock);
    return code;
}

int layers_prepare(struct launcher *launcher)
{
    int code = EXIT_FINE;
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++)
        code = layer_prepare(launcher, &launcher->bundle.layers[i], false);
    return code;
}
