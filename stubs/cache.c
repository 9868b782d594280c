/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"

#ifndef LOCK_SECONDS
#define LOCK_SECONDS 600
#endif
#define LOCK_PAUSE 25 /* milliseconds */
#define WITHOUT_WRITE 022

static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                          "# This folder is a cache of pypack: programs that were unpacked to be started.\n"
                          "# It may be removed whenever none of them is running.\n";

static void note(struct text *tried, const struct place *place, const char *why)
{
    text_format(tried, "\n  %s (%s): %s", place->path, place->origin, why);
}

static void free_places(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memory_free(places[i].base);
        memory_free(places[i].path);
    }
    memory_free(places);
}

int cache_try(struct launcher *launcher, int (*use)(struct launcher *))
{
    struct place *places;
    struct text tried = {0}, why = {0};
    size_t count = place_list(&places);
    int code = EXIT_PLACE;
    for (size_t i = 0; i < count && code == EXIT_PLACE; i++) {
        enum place_state state = place_look(&places[i], &why);
        launcher->place = &places[i];
        launcher->read_only = state == PLACE_READ_ONLY;
        launcher->prepared = false;
        report_debug(&launcher->report, "cache folder %s (%s)%s%s", places[i].path, places[i].origin,
                     state == PLACE_UNFIT ? ": " : "", state == PLACE_UNFIT ? text_of(&why) : "");
        if (state == PLACE_UNFIT) {
            note(&tried, &places[i], text_of(&why));
            continue;
        }
        code = use(launcher);
        if (code == EXIT_PLACE) {
            note(&tried, &places[i], text_of(&launcher->fault.what));
            report_debug(&launcher->report, "this folder cannot be used: %s", text_of(&launcher->fault.what));
        }
    }
    if (code == EXIT_PLACE)
        code = fault_set(&launcher->fault, EXIT_NO_CACHE,
                         "set PYPACK_CACHE_DIR to a folder of yours that has room and is not mounted noexec",
                         "there is no folder to unpack this program to; tried:%s", text_of(&tried));
    launcher->place = NULL;
    text_free(&tried);
    text_free(&why);
    free_places(places, count);
    return code;
}

char *cache_path(const struct launcher *launcher, const char *kind, const char *name)
{
    return path_join(launcher->place->path, kind, name, NULL);
}

int cache_refuses(struct launcher *launcher, oserr error, const char *doing)
{
    return fault_set(&launcher->fault, EXIT_PLACE, "", "%s while %s", system_text(error), doing);
}

static oserr make_skeleton(struct launcher *launcher)
{
    static const char *const folders[] = {"layers", "apps", "tmp"};
    oserr error = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !error; i++) {
        char *folder = cache_path(launcher, folders[i], NULL);
        error = folder_make(folder);
        if (system_meaning(error) == MEANS_EXISTS)
            error = 0;
        memory_free(folder);
    }
    char *file = cache_path(launcher, "CACHEDIR.TAG", NULL);
    if (!error)
        error = file_write(file, tag, sizeof tag - 1);
    memory_free(file);
    return system_meaning(error) == MEANS_EXISTS ? 0 : error;
}

int cache_prepare(struct launcher *launcher)
{
    if (launcher->prepared)
        return EXIT_FINE;
    if (launcher->read_only)
        return fault_set(&launcher->fault, EXIT_PLACE, "",
                         "it belongs to the administrator and does not hold this program");
    struct text why = {0};
    enum place_state state = place_make(launcher->place, &why);
    if (state != PLACE_READY) {
        int code = fault_set(&launcher->fault, EXIT_PLACE, "", "%s", text_of(&why));
        text_free(&why);
        return code;
    }
    text_free(&why);
    if (!launcher->modes_set) {
        launcher->modes_before = place_modes(WITHOUT_WRITE);
        launcher->modes_set = true;
    }
    oserr error = make_skeleton(launcher);
    if (error)
        return cache_refuses(launcher, error, "making folders in it");
    launcher->prepared = true;
    return EXIT_FINE;
}

void cache_restore(struct launcher *launcher)
{
    if (launcher->modes_set)
        place_modes(launcher->modes_before);
    launcher->modes_set = false;
}

static char *lock_path(const struct launcher *launcher, const char *name)
{
    struct text file = {0};
    text_format(&file, "%s.lock", name);
    char *path = cache_path(launcher, "tmp", file.data);
    text_free(&file);
    return path;
}

/* Wait for the lock. Whoever holds it is unpacking, or was killed, which frees it. */
static int wait_for(struct launcher *launcher, const char *path, handle *lock)
{
    struct progress progress;
    progress_begin(&progress, &launcher->report, "another process is unpacking, waiting for it", 0);
    oserr error = lock_try(*lock, false);
    for (unsigned waited = 0; system_meaning(error) == MEANS_BUSY; waited += LOCK_PAUSE) {
        if (waited >= LOCK_SECONDS * 1000U) {
            progress_end(&progress);
            file_close(*lock);
            *lock = NO_HANDLE;
            return fault_set(&launcher->fault, EXIT_LOCK, "end that process if it hangs, then start again",
                             "another process has held %s for more than %u seconds", path, (unsigned)LOCK_SECONDS);
        }
        progress_show(&progress);
        system_sleep(LOCK_PAUSE);
        error = lock_try(*lock, false);
    }
    progress_end(&progress);
    if (error) { /* a file system without locks: putting a whole folder into its place decides */
        report_debug(&launcher->report, "no lock on %s: %s", path, system_text(error));
        file_close(*lock);
        *lock = NO_HANDLE;
    }
    return EXIT_FINE;
}

int cache_lock(struct launcher *launcher, const char *name, handle *lock)
{
    char *path = lock_path(launcher, name);
    int code;
    bool again;
    do { /* whoever tidies up removes locks that nobody holds: then this is one of a file that is gone */
        oserr error = lock_open(path, lock);
        code = error ? cache_refuses(launcher, error, "making a lock in it") : wait_for(launcher, path, lock);
        again = code == EXIT_FINE && *lock != NO_HANDLE && file_is_gone(*lock, NULL);
        if (again)
            file_close(*lock);
    } while (again);
    memory_free(path);
    return code;
}

bool cache_lock_now(struct launcher *launcher, const char *name, handle *lock)
{
    char *path = lock_path(launcher, name);
    bool held = lock_open(path, lock) == 0;
    if (held && (lock_try(*lock, false) != 0 || file_is_gone(*lock, NULL))) {
        file_close(*lock);
        held = false;
    }
    memory_free(path);
    return held;
}

void cache_sweep_all(struct launcher *launcher, const char *name)
{
    handle lock;
    if (!cache_lock_now(launcher, name, &lock))
        return;
    cache_sweep(launcher, name, lock);
    char *path = lock_path(launcher, name);
    if (system_moves_open()) /* elsewhere its name stays taken until the last one who waits has closed it */
        folder_remove(path);
    memory_free(path);
    file_close(lock);
}

void cache_sweep(struct launcher *launcher, const char *name, handle lock)
{
    if (lock == NO_HANDLE)
        return;
    struct text names = {0};
    size_t size = strlen(name);
    char *folder = cache_path(launcher, "tmp", NULL);
    if (folder_list(folder, &names) == 0) {
        const char *end = names.data + names.size;
        for (const char *entry = names.data; entry < end; entry += strlen(entry) + 1) {
            if (strncmp(entry, name, size) != 0 || entry[size] != '.' || strcmp(entry + size, ".lock") == 0)
                continue;
            char *path = path_join(folder, entry, NULL);
            report_debug(&launcher->report, "removing what was left in %s", path);
            folder_remove(path);
            memory_free(path);
        }
    }
    text_free(&names);
    memory_free(folder);
}

int cache_draft(struct launcher *launcher, const char *name, char **draft)
{
    oserr error;
    unsigned number = 0;
    do {
        struct text file = {0};
        text_format(&file, "%s.%lu.%u", name, system_process(), number);
        *draft = cache_path(launcher, "tmp", file.data);
        text_free(&file);
        error = folder_make(*draft);
        if (error) {
            memory_free(*draft);
            *draft = NULL;
        }
    } while (system_meaning(error) == MEANS_EXISTS && error && number++ < 1000);
    return error ? cache_refuses(launcher, error, "making a folder in it") : EXIT_FINE;
}

/* A folder goes into tmp/ in one step before it is removed; anything else was put there by somebody. */
static oserr move_away(struct launcher *launcher, const char *name, const char *path, char **aside)
{
    struct file_info info;
    oserr error = file_look(path, false, &info);
    if (error || info.kind != KIND_FOLDER)
        return error ? error : folder_remove(path);
    if (cache_draft(launcher, name, aside))
        return 0; /* the rename that follows tells what is wrong */
    return file_rename(path, *aside); /* the empty folder that was just made gives way */
}

int cache_put(struct launcher *launcher, const char *name, const char *draft, const char *final, bool sound)
{
    char *aside = NULL;
    oserr error = sound ? 0 : file_rename(draft, final);
    if (error) {
        error = move_away(launcher, name, final, &aside);
        if (!error)
            error = file_rename(draft, final);
    }
    if (sound)
        folder_remove(draft);
    if (aside)
        folder_remove(aside);
    memory_free(aside);
    return error ? cache_refuses(launcher, error, "putting a folder into its place") : EXIT_FINE;
}

int cache_discard(struct launcher *launcher, const char *name, const char *path)
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

int cache_hold_still(struct launcher *launcher, handle *lock)
{
    return cache_lock(launcher, CACHE_CLEANING, lock);
}
