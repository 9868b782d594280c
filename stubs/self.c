/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=info|check|verify|extract|clean: what a bundle can do besides running its program. */
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"
#include "unpack.h"

static void print(struct text *lines)
{
    system_print(text_of(lines), lines->size);
    text_free(lines);
}

static int info_here(struct launcher *launcher)
{
    const struct bundle *bundle = &launcher->bundle;
    const char *version = bundle->launch.version;
    struct text lines = {0};
    text_format(&lines, "name     %s\nversion  %s\ntarget   %s\nid       %s\nbundle   %s\ncache    %s (%s)\n",
                bundle->launch.name, version ? version : "not told", bundle->launch.target, bundle->id,
                launcher->path.data, launcher->place->path, launcher->place->origin);
    for (unsigned i = 0; i < bundle->layer_count; i++) {
        const struct layer *layer = &bundle->layers[i];
        text_format(&lines, "%-8s %s  %llu bytes, %llu unpacked, %s\n", layer_name(layer->kind), layer->folder,
                    (unsigned long long)layer->size, (unsigned long long)layer->unpacked,
                    layer_is_there(launcher, layer) ? "in the cache" : "not in the cache");
    }
    text_format(&lines, "start    %s\n", app_is_there(launcher) ? "prepared" : "not prepared");
    print(&lines);
    return EXIT_FINE;
}

static int mend_yourself(struct launcher *launcher, const struct layer *layer)
{
    return fault_set(&launcher->fault, EXIT_PAYLOAD, "let the administrator run it with PYPACK_SELF=verify",
                     "the %s layer is damaged in %s, which belongs to the administrator", layer_name(layer->kind),
                     launcher->place->path);
}

/* Compare the cache with the bundle, whose own hashes were found right; what differs is unpacked again. */
static int verify_cached(struct launcher *launcher, const struct layer *layer, struct text *lines)
{
    struct file_info info;
    struct progress progress;
    char *folder = layer_path(launcher, layer->kind, "");
    struct sink_maker maker = {comparing_sink, folder};
    oserr error = file_look(folder, false, &info);
    const char *result = "sound in the bundle, not in the cache";
    int code = EXIT_FINE;
    if (!error && info.kind != KIND_NONE) {
        result = "sound in the bundle and in the cache";
        progress_begin(&progress, &launcher->report, "comparing", layer->unpacked);
        code = unpack_layer(launcher->file, layer, &maker, &progress, &launcher->fault);
        progress_end(&progress);
        if (code) {
            text_format(lines, "%-8s %s\n", layer_name(layer->kind), text_of(&launcher->fault.what));
            result = "was damaged in the cache, unpacked again";
            code = launcher->read_only ? mend_yourself(launcher, layer) : layer_ready(launcher, layer, true);
        }
    }
    if (code == EXIT_FINE)
        text_format(lines, "%-8s %s\n", layer_name(layer->kind), result);
    memory_free(folder);
    return code;
}

static int verify_here(struct launcher *launcher)
{
    struct text lines = {0};
    int code = EXIT_FINE;
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++) {
        const struct layer *layer = &launcher->bundle.layers[i];
        struct progress progress;
        struct sink_maker nowhere = {checking_sink, ""};
        progress_begin(&progress, &launcher->report, "checking", layer->unpacked);
        code = unpack_layer(launcher->file, layer, &nowhere, &progress, &launcher->fault);
        progress_end(&progress);
        if (code == EXIT_FINE)
            code = verify_cached(launcher, layer, &lines);
    }
    print(&lines);
    return code;
}

/* Only tell: this is asked while the program runs, by its bootstrap. */
static int damaged(struct launcher *launcher, const struct layer *layer)
{
    struct text why = {0}, remedy = {0};
    char *folder = layer_path(launcher, layer->kind, "");
    text_add(&why, text_of(&launcher->fault.what));
    if (launcher->bundle.launch.no_self)
        text_format(&remedy, "remove the folder %s, then start the program again", folder);
    else
        text_format(&remedy, "start it once with PYPACK_SELF=verify, which repairs that, then again as ever");
    int code = fault_set(&launcher->fault, EXIT_DAMAGED, text_of(&remedy),
                         "what was unpacked of this program is damaged, in %s: %s", folder, text_of(&why));
    memory_free(folder);
    text_free(&remedy);
    text_free(&why);
    return code;
}

static int check_layers(struct launcher *launcher, bool app_only)
{
    int code = EXIT_FINE;
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++) {
        const struct layer *layer = &launcher->bundle.layers[i];
        if (app_only && layer->kind != LAYER_APP)
            continue;
        struct progress progress;
        char *folder = layer_path(launcher, layer->kind, "");
        struct sink_maker maker = {comparing_sink, folder};
        progress_begin(&progress, &launcher->report, "comparing", layer->unpacked);
        code = unpack_layer(launcher->file, layer, &maker, &progress, &launcher->fault);
        progress_end(&progress);
        memory_free(folder);
        if (code == EXIT_DAMAGED)
            code = damaged(launcher, layer);
    }
    return code;
}

static int check_here(struct launcher *launcher)
{
    return check_layers(launcher, false);
}

static int check_app_here(struct launcher *launcher)
{
    return check_layers(launcher, true);
}

static int extract_here(struct launcher *launcher)
{
    int code = app_ready(launcher);
    if (code == EXIT_FINE)
        code = layers_ready(launcher);
    if (code == EXIT_FINE)
        cache_tidy(launcher);
    app_release(launcher);
    if (code == EXIT_FINE) {
        struct text lines = {0};
        text_format(&lines, "%s\n", launcher->place->path);
        print(&lines);
    }
    return code;
}

int self_command(struct launcher *launcher, const char *word)
{
    if (strcmp(word, "info") == 0)
        return cache_try(launcher, info_here);
    if (strcmp(word, "verify") == 0)
        return cache_try(launcher, verify_here);
    if (strcmp(word, "check") == 0)
        return cache_try(launcher, check_here);
    if (strcmp(word, "check-app") == 0)
        return cache_try(launcher, check_app_here);
    if (strcmp(word, "extract") == 0)
        return cache_try(launcher, extract_here);
    if (strcmp(word, "clean") == 0)
        return self_clean(launcher);
    return fault_set(&launcher->fault, EXIT_BAD_WORD, "use PYPACK_SELF=info, check, verify, extract or clean",
                     "PYPACK_SELF=%s is not known", word);
}
