/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"
#include "unpack.h"

char *layer_path(const struct launcher *launcher, enum layer_kind kind, const char *inside)
{
    const struct layer *layer = bundle_layer(&launcher->bundle, kind);
    char *folder = cache_path(launcher, "layers", layer ? layer->folder : "none");
    char *path = path_join(folder, *inside ? inside : NULL, NULL);
    memory_free(folder);
    return path;
}

bool layer_is_there(const struct launcher *launcher, const struct layer *layer)
{
    const struct launch *launch = &launcher->bundle.launch;
    struct file_info info;
    bool looked = false;
    for (size_t i = 0; i < launch->sentinel_count; i++) {
        const struct inside *sentinel = &launch->sentinels[i];
        if (sentinel->kind != layer->kind)
            continue;
        char *path = layer_path(launcher, layer->kind, sentinel->path);
        bool sound = file_look(path, true, &info) == 0 && info.kind == KIND_FILE && info.size == sentinel->size;
        memory_free(path);
        if (!sound)
            return false;
        looked = true;
    }
    if (looked)
        return true;
    char *folder = layer_path(launcher, layer->kind, "");
    bool sound = file_look(folder, false, &info) == 0 && info.kind == KIND_FOLDER;
    memory_free(folder);
    return sound;
}

/* Unpack into a draft and put it into its place. */
static int make_layer(struct launcher *launcher, const struct layer *layer, bool anew, handle lock)
{
    char *draft;
    cache_sweep(launcher, layer->folder, lock);
    int code = cache_draft(launcher, layer->folder, &draft);
    if (code)
        return code;
    struct progress progress;
    struct sink_maker maker = {writing_sink, draft};
    progress_begin(&progress, &launcher->report, "unpacking (first start only)", layer->unpacked);
    code = unpack_layer(launcher->file, layer, &maker, &progress, &launcher->fault);
    progress_end(&progress);
    char *final = layer_path(launcher, layer->kind, "");
    if (code == EXIT_FINE)
        code = cache_put(launcher, layer->folder, draft, final, !anew && layer_is_there(launcher, layer));
    if (code)
        folder_remove(draft);
    memory_free(final);
    memory_free(draft);
    return code;
}

int layer_ready(struct launcher *launcher, const struct layer *layer, bool anew)
{
    if (!anew && layer_is_there(launcher, layer))
        return EXIT_FINE;
    int code = cache_prepare(launcher);
    if (code)
        return code;
    handle lock;
    code = cache_lock(launcher, layer->folder, &lock);
    if (code)
        return code;
    if (anew || !layer_is_there(launcher, layer)) {
        report_debug(&launcher->report, "unpacking the %s layer, %llu bytes", layer_name(layer->kind),
                     (unsigned long long)layer->unpacked);
        code = make_layer(launcher, layer, anew, lock);
        if (code == EXIT_FINE && !layer_is_there(launcher, layer))
            code = fault_set(&launcher->fault, EXIT_PAYLOAD, "build the bundle again",
                             "the %s layer does not hold what the bundle says it holds", layer_name(layer->kind));
    }
    file_close(lock);
    return code;
}

int layers_ready(struct launcher *launcher)
{
    int code = EXIT_FINE;
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++)
        code = layer_ready(launcher, &launcher->bundle.layers[i], false);
    return code;
}
