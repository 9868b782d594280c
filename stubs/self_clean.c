/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=clean: what is in the cache of this program goes, but for what runs, and for what others need. */
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"

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

static int clean_layer(struct launcher *launcher, const struct layer *layer, struct text *lines)
{
    handle lock, still;
    char *path = layer_path(launcher, layer->kind, "");
    int code = EXIT_FINE;
    if (stands(path)) {
        code = cache_lock(launcher, layer->folder, &lock);
        if (code == EXIT_FINE && (code = cache_hold_still(launcher, &still)) != EXIT_FINE)
            file_close(lock);
        if (code == EXIT_FINE) {
            bool wanted = is_wanted(launcher, layer);
            cache_sweep(launcher, layer->folder, lock);
            code = wanted ? EXIT_FINE : cache_discard(launcher, layer->folder, path);
            if (code == EXIT_FINE)
                text_format(lines, "%s %s\n", wanted ? "kept, another program needs it:" : "removed", path);
            file_close(still);
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

struct search {
    const char *id;
    bool found;
};

static void see_process(void *argument, const char *program, const char *words)
{
    struct search *search = argument;
    search->found = search->found || strstr(program, search->id) || strstr(words, search->id);
}

/* Children that have outlived the program hold no lock. */
static bool has_children(const struct launcher *launcher)
{
    struct search search = {.id = launcher->bundle.id};
    system_processes(see_process, &search);
    return search.found;
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
        return has_children(launcher) ? in_use(launcher, "an interpreter that it has started is running") : EXIT_FINE;
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
        code = cache_discard(launcher, launcher->bundle.id, folder);
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
    system_print(text_of(&lines), lines.size);
    text_free(&lines);
    return code == EXIT_PLACE ? still_there(launcher) : code;
}

int self_clean(struct launcher *launcher)
{
    int code = cache_try(launcher, clean_here);
    return code == EXIT_NO_CACHE ? EXIT_FINE : code; /* nothing to remove anywhere */
}
