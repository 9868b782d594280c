/* SPDX-License-Identifier: MIT */
/*
 * What leaves the cache. A start that had to unpack something looks afterwards for programs that were not used for long, or
 * that are too much in all, and for layers that no program names. What runs is never touched: a running program holds a lock on
 * its pyvenv.cfg, and the processes of this system are asked where they stand for the sake of children that hold none.
 */
#include "cache/gc.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/leftovers.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/trash.h"
#include "format/trailer.h"

#define DAY INT64_C(86400)
#define DAYS_KEPT 60
#define MEGABYTES_KEPT 8192
#define NAME_LENGTH 32
#define SWEPT_MOST 32 /* how much in tmp/ a start takes in hand */

/* A program in the cache. */
struct entry {
    char *id;
    struct text settings; /* its pyvenv.cfg */
    int64_t unused;       /* seconds */
    bool busy, gone;
};

struct inventory {
    struct launcher *launcher;
    struct entry *entries;
    size_t count;
    bool has_processes; /* they were asked */
};

static bool is_hash(const char *name)
{
    return strlen(name) == NAME_LENGTH && strspn(name, "0123456789abcdef") == NAME_LENGTH;
}

/* What pyvenv.cfg says; nothing where there is none. */
static void read_settings(handle file, struct text *settings)
{
    char *bytes = memory_raw(TRAILER_MOST);
    size_t got = 0;
    if (file_read(file, bytes, TRAILER_MOST, 0, &got) == 0)
        text_add_bytes(settings, bytes, got);
    memory_free(bytes);
}

static void add_entry(struct inventory *inventory, const char *id)
{
    handle file;
    struct entry entry = {.id = text_copy(id, strlen(id)), .unused = INT64_MAX};
    char *path = path_join(inventory->launcher->root->path, "apps", id, APP_SETTINGS, NULL);
    entry.busy = strcmp(id, app_name(inventory->launcher)) == 0;
    if (file_open(path, &file) == 0) {
        read_settings(file, &entry.settings);
        file_is_unlinked(file, &entry.unused);
        file_close(file);
        if (entry.unused < -DAY && !entry.busy)
            file_touch(path); /* by a clock that was ahead: it would never grow old */
    }
    inventory->entries = memory_grown(inventory->entries, inventory->count + 1, sizeof *inventory->entries);
    inventory->entries[inventory->count++] = entry;
    memory_free(path);
}

static bool list_entries(struct inventory *inventory)
{
    struct text names = {0};
    char *apps = cache_path(inventory->launcher, "apps", NULL);
    bool fine = folder_list(apps, &names) == 0;
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end; name += strlen(name) + 1)
        if (is_hash(name))
            add_entry(inventory, name);
    text_free(&names);
    memory_free(apps);
    return fine;
}

static void free_inventory(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->count; i++) {
        memory_free(inventory->entries[i].id);
        text_free(&inventory->entries[i].settings);
    }
    memory_free(inventory->entries);
}

/* A folder without settings is one that nothing can be started from: it wants no layer. */
static bool names_layer(const struct entry *entry, const char *layer)
{
    return !entry->gone && strstr(text_of(&entry->settings), layer) != NULL;
}

/* The words behind `key =` in the settings, or "". */
static const char *find_setting(const struct entry *entry, const char *key)
{
    const char *line = strstr(text_of(&entry->settings), key);
    return line ? line + strlen(key) : "";
}

/* How much the layers take that this program names and no other one. */
static uint64_t unshared_size(const struct inventory *inventory, const struct entry *entry)
{
    uint64_t size = 0;
    const char *layer = find_setting(entry, "\npypack-layers ="), *number = find_setting(entry, "\npypack-sizes =");
    while (*layer == ' ' && *number == ' ') {
        char name[NAME_LENGTH + 1] = "", *rest;
        uint64_t one = strtoull(number, &rest, 10);
        memcpy(name, layer + 1, strnlen(layer + 1, NAME_LENGTH));
        bool shared = false;
        for (size_t i = 0; i < inventory->count; i++)
            shared = shared || (&inventory->entries[i] != entry && names_layer(&inventory->entries[i], name));
        size += shared ? 0 : one;
        layer += 1 + strcspn(layer + 1, " \n");
        number = rest;
    }
    return size;
}

/* How much all of them take, layers that are shared counted once. */
static uint64_t total_size(struct inventory *inventory)
{
    uint64_t size = 0;
    for (size_t i = 0; i < inventory->count; i++)
        inventory->entries[i].gone = true;
    for (size_t i = 0; i < inventory->count; i++) {
        size += unshared_size(inventory, &inventory->entries[i]);
        inventory->entries[i].gone = false;
    }
    return size;
}

/*
 * A process stands in an apps/<id>/ by its words, or else in a layer by its file (one that has changed what `ps` shows of it);
 * then it may be of any program that names the layer.
 */
static void note_process(void *argument, const char *program, const char *words)
{
    struct inventory *inventory = argument;
    const char *layer = strstr(program, "/layers/");
    for (size_t i = 0; i < inventory->count; i++) {
        struct entry *entry = &inventory->entries[i];
        char name[NAME_LENGTH + 1] = "";
        if (strstr(words, entry->id) || strstr(program, entry->id))
            entry->busy = true;
        if (!layer || strstr(words, "/apps/"))
            continue;
        memcpy(name, layer + 8, strnlen(layer + 8, NAME_LENGTH));
        entry->busy = entry->busy || (is_hash(name) && names_layer(entry, name));
    }
}

/* What cannot be moved comes with an image, and would not free anything. */
static bool move_away(struct inventory *inventory, const char *path)
{
    bool moved = cache_trash(inventory->launcher, path) == 0;
    if (moved)
        report_debug(&inventory->launcher->report, "removing %s", path);
    return moved;
}

/* The lock tells that nobody runs it, and that nobody has begun to since it was looked at. */
static void remove_entry(struct inventory *inventory, struct entry *entry)
{
    handle file;
    int64_t unused = INT64_MAX;
    if (!inventory->has_processes)
        system_visit_processes(note_process, inventory);
    inventory->has_processes = true;
    char *folder = path_join(inventory->launcher->root->path, "apps", entry->id, NULL);
    char *settings = path_join(folder, APP_SETTINGS, NULL);
    oserr error = file_open(settings, &file);
    bool held = !error && lock_try(file, false) == 0 && !file_is_unlinked(file, &unused) && unused >= entry->unused;
    bool empty = error && system_classify(error) == CLASS_MISSING;
    if (!error && !system_renames_open())
        file_close(file);
    if (!entry->busy && (held || empty))
        entry->gone = move_away(inventory, folder);
    if (!error && system_renames_open())
        file_close(file);
    entry->busy = !entry->gone;
    memory_free(settings);
    memory_free(folder);
}

/* The one that was not used for longest among those that may go; NULL if there is none. */
static struct entry *find_oldest(struct inventory *inventory)
{
    struct entry *oldest = NULL;
    for (size_t i = 0; i < inventory->count; i++) {
        struct entry *entry = &inventory->entries[i];
        if (!entry->busy && !entry->gone && (!oldest || entry->unused > oldest->unused))
            oldest = entry;
    }
    return oldest;
}

/* A number of the user's; one that cannot be read counts as not given. */
static uint64_t read_limit(const char *variable, uint64_t otherwise)
{
    const char *value = system_variable(variable);
    char *rest;
    if (!value || *value < '0' || *value > '9')
        return otherwise;
    uint64_t number = strtoull(value, &rest, 10);
    return *rest ? otherwise : number;
}

static void remove_programs(struct inventory *inventory)
{
    uint64_t days = read_limit("PYPACK_CACHE_DAYS", DAYS_KEPT), most = read_limit("PYPACK_CACHE_MB", MEGABYTES_KEPT);
    uint64_t size = total_size(inventory);
    for (struct entry *entry; (entry = find_oldest(inventory)) != NULL;) {
        bool empty = entry->settings.size == 0;
        bool old = days && entry->unused / DAY >= (int64_t)(days < INT32_MAX ? days : INT32_MAX);
        bool much = most && size >> 20 >= most && entry->unused >= DAY;
        if (!empty && !old && !much)
            break;
        uint64_t freed = unshared_size(inventory, entry);
        remove_entry(inventory, entry);
        size -= entry->gone ? freed : 0;
    }
}

static void remove_layers(struct inventory *inventory)
{
    struct text names = {0};
    char *layers = cache_path(inventory->launcher, "layers", NULL);
    if (folder_list(layers, &names) != 0)
        text_clear(&names);
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end; name += strlen(name) + 1) {
        bool wanted = !is_hash(name);
        for (size_t i = 0; i < inventory->count && !wanted; i++)
            wanted = names_layer(&inventory->entries[i], name);
        if (wanted)
            continue;
        char *path = path_join(layers, name, NULL);
        move_away(inventory, path);
        memory_free(path);
    }
    text_free(&names);
    memory_free(layers);
}

/* What killed processes left in tmp/, and locks that nobody holds. There may be a lot: the rest is for whoever removes. */
static void remove_leftovers(struct launcher *launcher, handle lock)
{
    struct text names = {0};
    char *folder = cache_path(launcher, "tmp", NULL);
    cache_remove_leftovers(launcher, CACHE_GC_LOCK, lock);
    if (folder_list_some(folder, &names, SWEPT_MOST, &launcher->more_trash) != 0)
        text_clear(&names);
    const char *end = text_of(&names) + names.size;
    for (const char *entry = text_of(&names); entry < end; entry += strlen(entry) + 1) {
        char *name = text_copy(entry, strcspn(entry, "."));
        if (is_hash(name))
            cache_remove_all_leftovers(launcher, name);
        memory_free(name);
    }
    text_free(&names);
    memory_free(folder);
}

/* Under the lock, which others wait for: folders are renamed only. */
void gc_collect(struct launcher *launcher)
{
    handle lock;
    const char *why;
    struct inventory inventory = {.launcher = launcher};
    if (!launcher->prepared || root_is_shared(launcher->root))
        return;
    if (root_visibility(launcher->root, &why) != VISIBLE_ALL) {
        report_debug(&launcher->report, "nothing is removed from %s: %s", launcher->root->path, why);
        return;
    }
    if (!cache_lock_now(launcher, CACHE_GC_LOCK, &lock))
        return;
    remove_leftovers(launcher, lock);
    if (list_entries(&inventory)) {
        remove_programs(&inventory);
        remove_layers(&inventory);
    }
    file_close(lock);
    free_inventory(&inventory);
    fault_clear(&launcher->fault);
}
