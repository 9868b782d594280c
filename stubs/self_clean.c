/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=clean: what is in the cache of this program goes, but for what runs, and for what others need. */
#include "self_clean.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/apps.h"
#include "cache/launcher.h"
#include "cache/leftovers.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "cache/roots.h"
#include "cache/trash.h"
#include "exit_codes.h"
#include "format/layer.h"
#include "format/trailer.h"

/* Whether another program's folder names this layer; one that cannot be read may do so. */
static bool names_layer(const char *settings, const char *layer)
{
    struct file_info info;
    handle file;
    if (file_stat(settings, false, &info) != 0 || info.kind != KIND_FILE || info.size > TRAILER_MOST ||
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
        if (strcmp(name, app_name(launcher)) == 0)
            continue;
        char *settings = path_join(apps, name, APP_SETTINGS, NULL);
        wanted = names_layer(settings, layer->folder);
        memory_free(settings);
    }
    text_free(&names);
    memory_free(apps);
    return wanted;
}

/* Whether a folder is at this path; where that cannot be found out there may be one. */
static bool may_exist(const char *path)
{
    struct file_info info;
    return file_stat(path, false, &info) != 0 || info.kind == KIND_FOLDER;
}

static int report_held(struct launcher *launcher, const char *path)
{
    return fault_set(&launcher->fault, EXIT_LOCK, "end that process if it hangs, then clean again",
                     "%s was not removed: another process has been at work on it for too long", path);
}

/* While its lock is held, and the one under which programs appear. */
static int remove_layer(struct launcher *launcher, const struct layer *layer, handle lock, const char *path,
                        struct text *lines)
{
    bool wanted = is_wanted(launcher, layer);
    cache_remove_leftovers(launcher, layer->folder, lock);
    int code = wanted ? EXIT_FINE : cache_discard(launcher, layer->folder, path);
    if (code == EXIT_FINE)
        text_format(lines, "%s %s\n", wanted ? "kept, another program needs it:" : "removed", path);
    return code;
}

static int clean_layer(struct launcher *launcher, const struct layer *layer, struct text *lines)
{
    char *path = layer_path(launcher, layer->kind, "");
    int code = EXIT_FINE;
    if (may_exist(path)) {
        handle lock = NO_HANDLE, still = NO_HANDLE;
        code = cache_lock(launcher, layer->folder, &lock);
        if (code == EXIT_FINE)
            code = cache_lock_gc(launcher, &still);
        if (code == EXIT_FINE && (lock == NO_HANDLE || still == NO_HANDLE))
            code = report_held(launcher, path);
        if (code == EXIT_FINE)
            code = remove_layer(launcher, layer, lock, path, lines);
        file_close(still);
        file_close(lock);
    }
    memory_free(path);
    return code;
}

/* No other folder is to be tried: here is what was to be removed. */
static int report_remains(struct launcher *launcher)
{
    struct text why = {0};
    text_add(&why, text_of(&launcher->fault.what));
    int code = fault_set(&launcher->fault, EXIT_IN_USE,
                         "make that folder writable and end what has files of it open, then clean again",
                         "this program could not be removed from %s: %s", launcher->root->path, text_of(&why));
    text_free(&why);
    return code;
}

/* Not even a lock tells what other machines do. */
static int report_unseen(struct launcher *launcher, const char *why)
{
    struct text remedy = {0};
    char *folder = app_path(launcher, NULL);
    text_format(&remedy, "end it on all machines, then remove the folder %s", folder);
    memory_free(folder);
    int code = fault_set(&launcher->fault, EXIT_IN_USE, text_of(&remedy), "nothing was removed from %s: %s",
                         launcher->root->path, why);
    text_free(&remedy);
    return code;
}

static int report_in_use(struct launcher *launcher, const char *why)
{
    return fault_set(&launcher->fault, EXIT_IN_USE, "end it, then clean again", "nothing was removed: %s", why);
}

struct search {
    const char *id;
    bool found;
};

static void note_process(void *argument, const char *program, const char *words)
{
    struct search *search = argument;
    search->found = search->found || strstr(program, search->id) || strstr(words, search->id);
}

/* Children that have outlived the program hold no lock. */
static bool has_children(const struct launcher *launcher)
{
    struct search search = {.id = app_name(launcher)};
    system_visit_processes(note_process, &search);
    return search.found;
}

/* The exclusive lock says that no process runs the program; a folder without the file is one that nothing can run from. */
static int lock_app(struct launcher *launcher)
{
    char *settings = app_path(launcher, APP_SETTINGS);
    oserr error = file_open(settings, &launcher->app_lock);
    bool missing = error && system_classify(error) == CLASS_MISSING;
    memory_free(settings);
    if (error) {
        launcher->app_lock = NO_HANDLE;
        return missing ? EXIT_FINE : cache_fail(launcher, error, "opening its pyvenv.cfg");
    }
    error = lock_try(launcher->app_lock, false);
    if (!error)
        return has_children(launcher) ? report_in_use(launcher, "an interpreter that it has started is running") : EXIT_FINE;
    return report_in_use(launcher, system_classify(error) == CLASS_BUSY
                                ? "the program is running"
                                : "this file system cannot tell whether the program is running");
}

/* While the lock is held none can begin before the folder is gone. */
static int clean_app(struct launcher *launcher, struct text *lines)
{
    char *folder = app_path(launcher, NULL);
    int code = lock_app(launcher);
    if (!system_renames_open())
        app_release(launcher); /* a start that comes in between keeps the folder from being moved */
    if (code == EXIT_FINE && may_exist(folder)) {
        code = cache_discard(launcher, app_name(launcher), folder);
        if (code == EXIT_FINE)
            text_format(lines, "removed %s\n", folder);
    }
    app_release(launcher);
    memory_free(folder);
    return code;
}

/* Whether anything of this program is in the cache. */
static bool holds_program(const struct launcher *launcher)
{
    char *folder = app_path(launcher, NULL);
    bool found = may_exist(folder);
    memory_free(folder);
    for (unsigned i = 0; i < launcher->bundle.layer_count && !found; i++) {
        folder = layer_path(launcher, launcher->bundle.layers[i].kind, "");
        found = may_exist(folder);
        memory_free(folder);
    }
    return found;
}

static int clean_cache(struct launcher *launcher)
{
    struct text lines = {0}, why = {0};
    app_choose(launcher);
    enum root_state state = root_inspect(launcher->root, &why);
    text_free(&why);
    if (state == ROOT_MISSING || !holds_program(launcher))
        return fault_set(&launcher->fault, TRY_NEXT_CACHE, "", "it holds nothing of this program");
    if (launcher->read_only)
        return fault_set(&launcher->fault, EXIT_IN_USE, "let the administrator run it with PYPACK_SELF=clean",
                         "this program could not be removed from %s, which belongs to the administrator",
                         launcher->root->path);
    const char *unknown;
    if (root_visibility(launcher->root, &unknown) == VISIBLE_NOTHING)
        return report_unseen(launcher, unknown);
    int code = cache_prepare(launcher);
    if (code == EXIT_FINE)
        code = clean_app(launcher, &lines);
    if (code == EXIT_FINE && launcher->app[0]) { /* and the folder that was made for another path */
        launcher->app[0] = '\0';
        code = clean_app(launcher, &lines);
    }
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++)
        code = clean_layer(launcher, &launcher->bundle.layers[i], &lines);
    system_write_output(text_of(&lines), lines.size);
    text_free(&lines);
    return code == TRY_NEXT_CACHE ? report_remains(launcher) : code;
}

int self_clean(struct launcher *launcher)
{
    int code = cache_use_first(launcher, clean_cache);
    return code == EXIT_NO_CACHE ? EXIT_FINE : code; /* nothing to remove anywhere */
}
