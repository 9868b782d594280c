/* SPDX-License-Identifier: MIT */
/*
 * The data that packages bring (share/, etc/, ...) stands below sys.prefix in a virtual environment, so apps/<id>/ has a name for
 * each such file of the layers. The folders are its own: what is installed there later does not end up in a layer.
 */
#include "cache/app_data.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "exit_codes.h"
#include "format/launch_block.h"
#include "format/layer.h"
#include "format/trailer.h"

#define MARK ".data" /* stands once all names do */
#define COPY_PART ((size_t)1 << 16)

bool app_data_is_present(const struct launcher *launcher)
{
    struct file_info info;
    if (launcher->bundle.launch.data_count == 0)
        return true;
    char *mark = app_path(launcher, MARK);
    bool there = file_stat(mark, false, &info) == 0 && info.kind == KIND_FILE;
    memory_free(mark);
    return there;
}

static oserr copy_file(const char *to, const char *from)
{
    handle source, target = NO_HANDLE;
    struct tree *tree;
    char *folder = path_parent(to);
    oserr error = file_open(from, &source);
    if (!error && (error = tree_open(folder, &tree)) == 0) {
        uint8_t *bytes = memory_raw(COPY_PART);
        size_t got = COPY_PART;
        error = tree_file(tree, path_name(to), false, &target);
        for (uint64_t at = 0; !error && got == COPY_PART; at += got) {
            error = file_read(source, bytes, COPY_PART, at, &got);
            if (!error)
                error = tree_write(target, bytes, got);
        }
        oserr late = tree_close_file(target);
        error = error ? error : late;
        tree_close(tree);
        memory_free(bytes);
    }
    if (source != NO_HANDLE)
        file_close(source);
    memory_free(folder);
    return error;
}

/* A name for a file of a layer: a link, or where there are none a copy, which gets its name when it is whole. */
static oserr link_or_copy(const char *to, const char *from, const char *target)
{
    oserr error = file_link(to, target);
    if (error && system_classify(error) != CLASS_EXISTS) {
        struct text part = {0};
        text_format(&part, "%s.part", to);
        folder_remove(part.data);
        error = copy_file(part.data, from);
        if (!error)
            error = file_rename(part.data, to);
        if (error)
            folder_remove(part.data);
        text_free(&part);
    }
    return system_classify(error) == CLASS_EXISTS ? 0 : error;
}

/* `up` leads from the folder that is filled to the cache. */
static oserr fill_folder(const char *to, const char *from, const char *inside, const char *up)
{
    struct text names = {0};
    oserr error = folder_list(from, &names);
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end && !error; name += strlen(name) + 1) {
        struct file_info info;
        char *source = path_join(from, name, NULL), *destination = path_join(to, name, NULL);
        char *below = path_join(inside, name, NULL), *deeper = path_join("..", up, NULL);
        char *target = path_join(up, below, NULL);
        error = file_stat(source, false, &info);
        if (!error && info.kind == KIND_FOLDER) {
            error = folder_make(destination);
            if (!error || system_classify(error) == CLASS_EXISTS)
                error = fill_folder(destination, source, below, deeper);
        } else if (!error) {
            error = link_or_copy(destination, source, target);
        }
        memory_free(target);
        memory_free(deeper);
        memory_free(below);
        memory_free(destination);
        memory_free(source);
    }
    text_free(&names);
    return error;
}

static oserr fill_app(const struct launcher *launcher)
{
    const struct launch *launch = &launcher->bundle.launch;
    char *app = app_path(launcher, NULL), *mark = app_path(launcher, MARK);
    oserr error = 0;
    for (size_t i = 0; i < launch->data_count && !error; i++) {
        const struct layer *layer = bundle_layer(&launcher->bundle, launch->data[i].kind);
        char *from = layer_path(launcher, launch->data[i].kind, launch->data[i].path);
        char *inside = layer ? path_join("layers", layer->folder, launch->data[i].path, NULL) : NULL;
        if (inside)
            error = fill_folder(app, from, inside, "../..");
        memory_free(inside);
        memory_free(from);
    }
    if (!error)
        error = folder_sync(app);
    if (!error)
        error = file_write(mark, "", 0);
    memory_free(mark);
    memory_free(app);
    return system_classify(error) == CLASS_EXISTS ? 0 : error; /* another process was faster */
}

int app_data_prepare(struct launcher *launcher)
{
    if (app_data_is_present(launcher))
        return EXIT_FINE;
    int code = cache_prepare(launcher);
    if (code)
        return code;
    oserr error = fill_app(launcher);
    return error ? cache_fail(launcher, error, "naming the data of packages in it") : EXIT_FINE;
}
