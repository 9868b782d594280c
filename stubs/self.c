/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=info|verify|extract|clean: what a bundle can do besides running its program. */
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

static int extract_here(struct launcher *launcher)
{
    int code = app_ready(launcher);
    if (code == EXIT_FINE)
        code = layers_ready(launcher);
    app_release(launcher);
    if (code == EXIT_FINE) {
        struct text lines = {0};
        text_format(&lines, "%s\n", launcher->place->path);
        print(&lines);
    }
    return code;
}

/* Whether another program's folder names this layer; one that cannot be read may do so. */
static bool names_layer(const char *settings, const char *layer)
{
    struct file_info info;
    handle file;
    if (file_look(settings, false, &info) != 0 || info.kind != KIND_FILE || info.size > TRAILER_MOST ||
        file_open(settings, &file) != 0)
        return true;
    size_t got = 0;
    char *bytes = memory((size_t)info.size + 1, 1);
    bool named = file_read(file, bytes, (size_t)info.size, 0, &got) != 0 || strstr(bytes, layer) != NULL;
    memory_free(bytes);
    file_close(file);
    return named;
}

static bool is_wanted(const struct launcher *launcher, const struct layer *layer)
{
    struct text names = {0};
    char *apps = cache_path(launcher, "apps", NULL);
    bool wanted = folder_list(apps, &names) != 0;
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end && !wanted; name += strlen(name) + 1) {
        if (strcmp(name, launcher->bundle.id) == 0)
            continue;
        char *settings = path_join(apps, name, "pyvenv.cfg", NULL);
        wanted = names_layer(settings, layer->folder);
        memory_free(settings);
    }
    text_free(&names);
    memory_free(apps);
    return wanted;
}

/* Whether a folder is at this path; where that cannot be found out there may be one. */
static bool stands(const char *path)
{
    struct file_info info;
    return file_look(path, false, &info) != 0 || info.kind == KIND_FOLDER;
}

/* Out of the way in one step, then gone. */
static int discard(struct launcher *launcher, const char *name, const char *path)
{
    char *draft;
    int code = cache_draft(launcher, name, &draft);
    if (code)
        return code;
    oserr error = file_rename(path, draft);
    oserr left = folder_remove(draft);
    memory_free(draft);
    if (!error && !left)
        return EXIT_FINE;
    return fault_set(&launcher->fault, EXIT_PLACE, "", "%s while removing %s", system_text(error ? error : left), path);
}

static int clean_layer(struct launcher *launcher, const struct layer *layer, struct text *lines)
{
    handle lock;
    char *path = layer_path(launcher, layer->kind, "");
    int code = EXIT_FINE;
    if (stands(path)) {
        code = cache_lock(launcher, layer->folder, &lock);
        if (code == EXIT_FINE) {
            bool wanted = is_wanted(launcher, layer);
            cache_sweep(launcher, layer->folder, lock);
            code = wanted ? EXIT_FINE : discard(launcher, layer->folder, path);
            if (code == EXIT_FINE)
                text_format(lines, "%s %s\n", wanted ? "kept, another program needs it:" : "removed", path);
            file_close(lock);
        }
    }
    memory_free(path);
    return code;
}

/* No other place is to be tried: here is what was to be removed. */
static int still_there(struct launcher *launcher)
{
    struct text why = {0};
    text_add(&why, text_of(&launcher->fault.what));
    int code = fault_set(&launcher->fault, EXIT_IN_USE,
                         "make that folder writable and end what has files of it open, then clean again",
                         "this program could not be removed from %s: %s", launcher->place->path, text_of(&why));
    text_free(&why);
    return code;
}

static int in_use(struct launcher *launcher, const char *why)
{
    return fault_set(&launcher->fault, EXIT_IN_USE, "end it, then clean again", "nothing was removed: %s", why);
}

/* The exclusive lock says that no process runs the program; a folder without the file is one that nothing can run from. */
static int lock_app(struct launcher *launcher)
{
    char *settings = app_path(launcher, "pyvenv.cfg");
    oserr error = file_open(settings, &launcher->app_lock);
    bool missing = error && system_meaning(error) == MEANS_MISSING;
    memory_free(settings);
    if (error) {
        launcher->app_lock = NO_HANDLE;
        return missing ? EXIT_FINE : cache_refuses(launcher, error, "opening its pyvenv.cfg");
    }
    error = lock_try(launcher->app_lock, false);
    if (!error)
        return EXIT_FINE;
    return in_use(launcher, system_meaning(error) == MEANS_BUSY
                                ? "the program is running"
                                : "this file system cannot tell whether the program is running");
}

/* While the lock is held none can begin before the folder is gone. */
static int clean_app(struct launcher *launcher, struct text *lines)
{
    char *folder = app_path(launcher, NULL);
    int code = lock_app(launcher);
    if (!system_moves_open())
        app_release(launcher); /* a start that comes in between keeps the folder from being moved */
    if (code == EXIT_FINE && stands(folder)) {
        code = discard(launcher, launcher->bundle.id, folder);
        if (code == EXIT_FINE)
            text_format(lines, "removed %s\n", folder);
    }
    app_release(launcher);
    memory_free(folder);
    return code;
}

/* Whether anything of this program is in the place. */
static bool holds_program(const struct launcher *launcher)
{
    char *folder = app_path(launcher, NULL);
    bool found = stands(folder);
    memory_free(folder);
    for (unsigned i = 0; i < launcher->bundle.layer_count && !found; i++) {
        folder = layer_path(launcher, launcher->bundle.layers[i].kind, "");
        found = stands(folder);
        memory_free(folder);
    }
    return found;
}

static int clean_here(struct launcher *launcher)
{
    struct text lines = {0}, why = {0};
    enum place_state state = place_look(launcher->place, &why);
    text_free(&why);
    if (state == PLACE_MISSING || !holds_program(launcher))
        return fault_set(&launcher->fault, EXIT_PLACE, "", "it holds nothing of this program");
    if (launcher->read_only)
        return fault_set(&launcher->fault, EXIT_IN_USE, "let the administrator run it with PYPACK_SELF=clean",
                         "this program could not be removed from %s, which belongs to the administrator",
                         launcher->place->path);
    int code = cache_prepare(launcher);
    if (code == EXIT_FINE)
        code = clean_app(launcher, &lines);
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++)
        code = clean_layer(launcher, &launcher->bundle.layers[i], &lines);
    print(&lines);
    return code == EXIT_PLACE ? still_there(launcher) : code;
}

static int clean(struct launcher *launcher)
{
    int code = cache_try(launcher, clean_here);
    return code == EXIT_NO_CACHE ? EXIT_FINE : code; /* nothing to remove anywhere */
}

int self_command(struct launcher *launcher, const char *word)
{
    if (strcmp(word, "info") == 0)
        return cache_try(launcher, info_here);
    if (strcmp(word, "verify") == 0)
        return cache_try(launcher, verify_here);
    if (strcmp(word, "extract") == 0)
        return cache_try(launcher, extract_here);
    if (strcmp(word, "clean") == 0)
        return clean(launcher);
    return fault_set(&launcher->fault, EXIT_BAD_WORD, "use PYPACK_SELF=info, verify, extract or clean",
                     "PYPACK_SELF=%s is not known", word);
}
