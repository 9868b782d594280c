/* SPDX-License-Identifier: MIT */
/*
 * What stands in a layer and is not of the bundle: a package that shadows another one, a database that a program keeps beside
 * its modules, a file that somebody has put there. It is named and kept, never removed.
 */
#include "cache/foreign.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "exit_codes.h"
#include "format/layer.h"
#include "format/sink.h"

#define KEPT_MOST 10000 /* folders for what was found in one layer */

struct sorted_names {
    const char **names; /* sorted */
    size_t count;
};

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static struct sorted_names sort_names(const struct members *members)
{
    struct sorted_names sorted_names = {0};
    const char *end = text_of(&members->names) + members->names.size;
    for (const char *name = text_of(&members->names); name < end; name += strlen(name) + 1)
        sorted_names.count++;
    sorted_names.names = memory(sorted_names.count + 1, sizeof *sorted_names.names);
    size_t at = 0;
    for (const char *name = text_of(&members->names); name < end; name += strlen(name) + 1)
        sorted_names.names[at++] = name;
    qsort(sorted_names.names, sorted_names.count, sizeof *sorted_names.names, compare_names);
    return sorted_names;
}

/* Whether a member is called so, or, of a folder, begins so. */
static bool is_member(const struct sorted_names *sorted_names, const char *name, bool beginning)
{
    size_t from = 0, to = sorted_names->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(sorted_names->names[middle], name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from < sorted_names->count &&
           (beginning ? strncmp(sorted_names->names[from], name, strlen(name)) == 0
                      : strcmp(sorted_names->names[from], name) == 0);
}

/* What the system leaves about, and what Python notes of modules for itself (for root, whom no mode stops). */
static bool is_trace(const char *name)
{
    return strncmp(name, ".nfs", 4) == 0 || strcmp(name, ".DS_Store") == 0 || strcmp(name, "__pycache__") == 0 ||
           strcmp(name, "desktop.ini") == 0;
}

/* What tools keep beside our bytecode (numba's compiled functions, for one). Bytecode itself could shadow a module. */
static bool is_note(const char *path, const char *name)
{
    static const char beside[] = "__pycache__/";
    size_t before = strlen(path) - strlen(name), length = sizeof beside - 1, size = strlen(name);
    if (before < length || memcmp(path + before - length, beside, length) != 0)
        return false;
    bool whole = before == length || path[before - length - 1] == '/';
    return whole && !(size >= 4 && strcmp(name + size - 4, ".pyc") == 0);
}

struct walk {
    const struct sorted_names *sorted_names;
    const char *folder;
    struct text *foreign;
    bool traces;
};

static void look_into(struct walk *walk, const char *inside);

static void look_at(struct walk *walk, const char *path, const char *name)
{
    struct file_info info;
    char *whole = path_join(walk->folder, path, NULL), *below = path_join(path, "", NULL);
    bool folder = file_stat(whole, false, &info) == 0 && info.kind == KIND_FOLDER;
    bool member = is_member(walk->sorted_names, path, false) || (folder && is_member(walk->sorted_names, below, true));
    if (member && folder)
        look_into(walk, path);
    else if (!member && (walk->traces || !(is_trace(name) || is_note(path, name))))
        text_add_bytes(walk->foreign, path, strlen(path) + 1);
    memory_free(below);
    memory_free(whole);
}

static void look_into(struct walk *walk, const char *inside)
{
    struct text names = {0};
    char *folder = path_join(walk->folder, *inside ? inside : NULL, NULL);
    if (folder_list(folder, &names) != 0)
        text_clear(&names);
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end; name += strlen(name) + 1) {
        char *path = *inside ? path_join(inside, name, NULL) : text_copy(name, strlen(name));
        look_at(walk, path, name);
        memory_free(path);
    }
    text_free(&names);
    memory_free(folder);
}

void foreign_find(const char *folder, const struct members *members, bool traces, struct text *foreign)
{
    struct sorted_names sorted_names = sort_names(members);
    struct walk walk = {.sorted_names = &sorted_names, .folder = folder, .foreign = foreign, .traces = traces};
    look_into(&walk, "");
    memory_free(sorted_names.names);
}

/* An overlayfs does not rename folders of its lower layer: then file by file. */
static oserr move_file(const char *from, const char *to)
{
    struct file_info info;
    struct text names = {0};
    oserr error = file_rename(from, to);
    if (system_classify(error) != CLASS_CROSS_DEVICE || file_stat(from, false, &info) != 0 || info.kind != KIND_FOLDER)
        return error;
    error = folder_make(to);
    if (!error)
        error = folder_list(from, &names);
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end && !error; name += strlen(name) + 1) {
        char *inner = path_join(from, name, NULL), *target = path_join(to, name, NULL);
        error = move_file(inner, target);
        memory_free(target);
        memory_free(inner);
    }
    text_free(&names);
    return error ? error : folder_remove(from); /* it is empty */
}

static oserr keep_file(const char *layer, const char *kept, const char *path)
{
    char *from = path_join(layer, path, NULL), *to = path_join(kept, path, NULL);
    char *above = path_parent(from), *above_kept = path_parent(to);
    oserr error = folder_make_all(above_kept);
    folder_writable(above, true);
    if (!error)
        error = move_file(from, to);
    folder_writable(above, false);
    memory_free(above_kept);
    memory_free(above);
    memory_free(to);
    memory_free(from);
    return error;
}

/* A new folder below kept/ for what was found in a layer. */
static oserr make_kept_folder(struct launcher *launcher, const struct layer *layer, char **kept)
{
    oserr error;
    unsigned number = 1;
    char *all = cache_path(launcher, "kept", NULL);
    error = folder_make_all(all);
    *kept = NULL;
    do {
        struct text name = {0};
        text_format(&name, "%s-%u", layer->folder, number);
        memory_free(*kept);
        *kept = path_join(all, name.data, NULL);
        text_free(&name);
        if (!error || system_classify(error) == CLASS_EXISTS)
            error = folder_make(*kept);
    } while (system_classify(error) == CLASS_EXISTS && error && number++ < KEPT_MOST);
    memory_free(all);
    return error;
}

int foreign_keep(struct launcher *launcher, const struct layer *layer, const struct text *foreign, struct text *lines)
{
    handle lock;
    char *kept, *folder = layer_path(launcher, layer->kind, "");
    int code = cache_prepare(launcher);
    if (code == EXIT_FINE)
        code = cache_lock(launcher, layer->folder, &lock);
    if (code) {
        memory_free(folder);
        return code;
    }
    oserr error = make_kept_folder(launcher, layer, &kept);
    const char *end = text_of(foreign) + foreign->size;
    for (const char *path = text_of(foreign); path < end && !error; path += strlen(path) + 1) {
        error = keep_file(folder, kept, path);
        if (!error)
            text_format(lines, "%-8s %s is not of the bundle, moved to %s\n", layer_name(layer->kind), path, kept);
    }
    file_close(lock);
    memory_free(kept);
    memory_free(folder);
    return error ? cache_fail(launcher, error, "moving away what is not of the bundle") : EXIT_FINE;
}
