/* SPDX-License-Identifier: MIT */
/*
 * What leaves the cache. A start that had to unpack something looks afterwards for programs that were not used for long, or
 * that are too much in all, and for layers that no program names. What runs is never touched: a running program holds a lock on
 * its pyvenv.cfg, and the processes of this system are asked where they stand for the sake of children that hold none.
 */
#include <stdlib.h>
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"

#define DAY INT64_C(86400)
#define DAYS_KEPT 60
#define MEGABYTES_KEPT 8192
#define NAME_LENGTH 32

/* A program in the cache. */
struct entry {
    char *id;
    struct text settings; /* its pyvenv.cfg */
    int64_t unused;       /* seconds */
    bool busy, gone;
};

struct stock {
    struct launcher *launcher;
    struct entry *entries;
    size_t count;
    bool asked; /* the processes were */
    struct text away; /* folders that were moved into tmp/, each ended by a zero byte */
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

static void add_entry(struct stock *stock, const char *id)
{
    handle file;
    struct entry entry = {.id = text_copy(id, strlen(id)), .unused = INT64_MAX};
    char *path = path_join(stock->launcher->place->path, "apps", id, "pyvenv.cfg", NULL);
    entry.busy = strcmp(id, stock->launcher->bundle.id) == 0;
    if (file_open(path, &file) == 0) {
        read_settings(file, &entry.settings);
        file_is_gone(file, &entry.unused);
        file_close(file);
        if (entry.unused < -DAY && !entry.busy)
            file_stamp(path); /* by a clock that was ahead: it would never grow old */
    }
    stock->entries = memory_grown(stock->entries, stock->count + 1, sizeof *stock->entries);
    stock->entries[stock->count++] = entry;
    memory_free(path);
}

static bool list_entries(struct stock *stock)
{
    struct text names = {0};
    char *apps = cache_path(stock->launcher, "apps", NULL);
    bool fine = folder_list(apps, &names) == 0;
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end; name += strlen(name) + 1)
        if (is_hash(name))
            add_entry(stock, name);
    text_free(&names);
    memory_free(apps);
    return fine;
}

static void free_stock(struct stock *stock)
{
    for (size_t i = 0; i < stock->count; i++) {
        memory_free(stock->entries[i].id);
        text_free(&stock->entries[i].settings);
    }
    memory_free(stock->entries);
    text_free(&stock->away);
}

/* A folder without settings is one that nothing can be started from: it wants no layer. */
static bool names_layer(const struct entry *entry, const char *layer)
{
    return !entry->gone && strstr(text_of(&entry->settings), layer) != NULL;
}

/* The words behind `key =` in the settings, or "". */
static const char *setting(const struct entry *entry, const char *key)
{
    const char *line = strstr(text_of(&entry->settings), key);
    return line ? line + strlen(key) : "";
}

/* How much the layers take that this program names and no other one. */
static uint64_t own_size(const struct stock *stock, const struct entry *entry)
{
    uint64_t size = 0;
    const char *layer = setting(entry, "\npypack-layers ="), *number = setting(entry, "\npypack-sizes =");
    while (*layer == ' ' && *number == ' ') {
        char name[NAME_LENGTH + 1] = "", *rest;
        uint64_t one = strtoull(number, &rest, 10);
        memcpy(name, layer + 1, strnlen(layer + 1, NAME_LENGTH));
        bool shared = false;
        for (size_t i = 0; i < stock->count; i++)
            shared = shared || (&stock->entries[i] != entry && names_layer(&stock->entries[i], name));
        size += shared ? 0 : one;
        layer += 1 + strcspn(layer + 1, " \n");
        number = rest;
    }
    return size;
}

/* How much all of them take, layers that are shared counted once. */
static uint64_t whole_size(struct stock *stock)
{
    uint64_t size = 0;
    for (size_t i = 0; i < stock->count; i++)
        stock->entries[i].gone = true;
    for (size_t i = 0; i < stock->count; i++) {
        size += own_size(stock, &stock->entries[i]);
        stock->entries[i].gone = false;
    }
    return size;
}

/*
 * A process stands in an apps/<id>/ by its words, or else in a layer by its file (one that has changed what `ps` shows of it);
 * then it may be of any program that names the layer.
 */
static void see_process(void *argument, const char *program, const char *words)
{
    struct stock *stock = argument;
    const char *layer = strstr(program, "/layers/");
    for (size_t i = 0; i < stock->count; i++) {
        struct entry *entry = &stock->entries[i];
        char name[NAME_LENGTH + 1] = "";
        if (strstr(words, entry->id) || strstr(program, entry->id))
            entry->busy = true;
        if (!layer || strstr(words, "/apps/"))
            continue;
        memcpy(name, layer + 8, strnlen(layer + 8, NAME_LENGTH));
        entry->busy = entry->busy || (is_hash(name) && names_layer(entry, name));
    }
}

/* Move a folder into tmp/ in one step. */
static bool move_away(struct stock *stock, const char *path)
{
    char *draft;
    if (cache_draft(stock->launcher, CACHE_CLEANING, &draft))
        return false;
    bool moved = file_rename(path, draft) == 0;
    if (moved)
        report_debug(&stock->launcher->report, "removing %s", path);
    text_add_bytes(&stock->away, draft, strlen(draft) + 1);
    memory_free(draft);
    return moved;
}

/* The lock tells that nobody runs it, and that nobody has begun to since it was looked at. */
static void remove_entry(struct stock *stock, struct entry *entry)
{
    handle file;
    int64_t unused = INT64_MAX;
    if (!stock->asked)
        system_processes(see_process, stock);
    stock->asked = true;
    char *folder = path_join(stock->launcher->place->path, "apps", entry->id, NULL);
    char *settings = path_join(folder, "pyvenv.cfg", NULL);
    oserr error = file_open(settings, &file);
    bool held = !error && lock_try(file, false) == 0 && !file_is_gone(file, &unused) && unused >= entry->unused;
    bool empty = error && system_meaning(error) == MEANS_MISSING;
    if (!error && !system_moves_open())
        file_close(file);
    if (!entry->busy && (held || empty))
        entry->gone = move_away(stock, folder);
    if (!error && system_moves_open())
        file_close(file);
    entry->busy = !entry->gone;
    memory_free(settings);
    memory_free(folder);
}

/* The one that was not used for longest among those that may go; NULL if there is none. */
static struct entry *oldest(struct stock *stock)
{
    struct entry *found = NULL;
    for (size_t i = 0; i < stock->count; i++) {
        struct entry *entry = &stock->entries[i];
        if (!entry->busy && !entry->gone && (!found || entry->unused > found->unused))
            found = entry;
    }
    return found;
}

/* A number of the user's; one that cannot be read counts as not given. */
static uint64_t bound(const char *variable, uint64_t otherwise)
{
    const char *value = system_variable(variable);
    char *rest;
    if (!value || *value < '0' || *value > '9')
        return otherwise;
    uint64_t number = strtoull(value, &rest, 10);
    return *rest ? otherwise : number;
}

static void remove_programs(struct stock *stock)
{
    uint64_t days = bound("PYPACK_CACHE_DAYS", DAYS_KEPT), most = bound("PYPACK_CACHE_MB", MEGABYTES_KEPT);
    uint64_t size = whole_size(stock);
    for (struct entry *entry; (entry = oldest(stock)) != NULL;) {
        bool empty = entry->settings.size == 0;
        bool old = days && entry->unused / DAY >= (int64_t)(days < INT32_MAX ? days : INT32_MAX);
        bool much = most && size >> 20 >= most && entry->unused >= DAY;
        if (!empty && !old && !much)
            break;
        uint64_t freed = own_size(stock, entry);
        remove_entry(stock, entry);
        size -= entry->gone ? freed : 0;
    }
}

static void remove_layers(struct stock *stock)
{
    struct text names = {0};
    char *layers = cache_path(stock->launcher, "layers", NULL);
    if (folder_list(layers, &names) != 0)
        text_clear(&names);
    const char *end = text_of(&names) + names.size;
    for (const char *name = text_of(&names); name < end; name += strlen(name) + 1) {
        bool wanted = !is_hash(name);
        for (size_t i = 0; i < stock->count && !wanted; i++)
            wanted = names_layer(&stock->entries[i], name);
        if (wanted)
            continue;
        char *path = path_join(layers, name, NULL);
        move_away(stock, path);
        memory_free(path);
    }
    text_free(&names);
    memory_free(layers);
}

/* What killed processes left in tmp/, and locks that nobody holds. */
static void sweep(struct launcher *launcher)
{
    struct text names = {0};
    char *folder = cache_path(launcher, "tmp", NULL);
    if (folder_list(folder, &names) != 0)
        text_clear(&names);
    const char *end = text_of(&names) + names.size;
    for (const char *entry = text_of(&names); entry < end; entry += strlen(entry) + 1) {
        char *name = text_copy(entry, strcspn(entry, "."));
        if (is_hash(name))
            cache_sweep_all(launcher, name);
        memory_free(name);
    }
    text_free(&names);
    memory_free(folder);
}

void cache_tidy(struct launcher *launcher)
{
    handle lock;
    struct stock stock = {.launcher = launcher};
    if (!launcher->prepared || place_is_common(launcher->place) || !cache_lock_now(launcher, CACHE_CLEANING, &lock))
        return;
    cache_sweep(launcher, CACHE_CLEANING, lock);
    if (list_entries(&stock)) {
        remove_programs(&stock);
        remove_layers(&stock);
    }
    sweep(launcher);
    const char *end = text_of(&stock.away) + stock.away.size;
    for (const char *path = text_of(&stock.away); path < end; path += strlen(path) + 1)
        folder_remove(path);
    file_close(lock);
    free_stock(&stock);
    fault_clear(&launcher->fault);
}
