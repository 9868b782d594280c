/* SPDX-License-Identifier: MIT */
/* Files of apps/<id>/ that are not what they must be. What pip has installed beside them is nobody's damage. */
#include "cache/app_repair.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/app_content.h"
#include "cache/app_files.h"
#include "cache/drafts.h"
#include "cache/launcher.h"
#include "cache/leftovers.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "exit_codes.h"

static oserr note_damaged(const struct launcher *launcher, const struct app_file *file, void *argument)
{
    struct text *paths = argument;
    if (!app_file_is_sound(launcher, file))
        text_add_bytes(paths, file->path, strlen(file->path) + 1);
    return 0;
}

void app_find_damage(const struct launcher *launcher, struct text *paths)
{
    char *folder = app_path(launcher, NULL);
    if (folder_is_trusted(folder)) /* else a start makes another one */
        app_visit_files(launcher, note_damaged, paths);
    memory_free(folder);
}

struct repair {
    const char *draft;
    struct text *paths;
};

static oserr write_damaged(const struct launcher *launcher, const struct app_file *file, void *argument)
{
    struct repair *repair = argument;
    if (app_file_is_sound(launcher, file))
        return 0;
    text_add_bytes(repair->paths, file->path, strlen(file->path) + 1);
    return app_file_write(launcher, file, repair->draft);
}

/* A program that runs cannot be replaced on Windows, but it can be moved: it is removed with the draft, or by a later start. */
static oserr replace(const struct launcher *launcher, const char *draft, const char *inside)
{
    struct text old = {0};
    char *fresh = path_join(draft, inside, NULL), *final = app_path(launcher, inside), *above = path_parent(final);
    text_format(&old, "%s.old", fresh);
    oserr error = folder_make_all(above);
    if (!error)
        error = file_rename(fresh, final);
    if (error && file_rename(final, old.data) == 0)
        error = file_rename(fresh, final);
    memory_free(above);
    memory_free(final);
    memory_free(fresh);
    text_free(&old);
    return error;
}

static oserr replace_damaged(const struct launcher *launcher, const char *draft, struct text *paths)
{
    struct repair repair = {draft, paths};
    oserr error = app_visit_files(launcher, write_damaged, &repair);
    if (!error)
        error = folder_sync(draft);
    const char *end = text_of(paths) + paths->size;
    for (const char *path = text_of(paths); path < end && !error; path += strlen(path) + 1)
        error = replace(launcher, draft, path);
    return error;
}

/* Under the lock of whoever makes the folder: a start that finds a file missing waits, and then finds it. */
int app_repair(struct launcher *launcher, struct text *paths)
{
    handle lock;
    char *draft = NULL;
    int code = cache_prepare(launcher);
    if (code == EXIT_FINE)
        code = cache_lock(launcher, app_name(launcher), &lock);
    if (code)
        return code;
    cache_remove_leftovers(launcher, app_name(launcher), lock);
    code = cache_draft(launcher, app_name(launcher), &draft);
    oserr error = code ? 0 : replace_damaged(launcher, draft, paths);
    if (error)
        code = cache_fail(launcher, error, "mending the program's folder in it");
    if (draft)
        folder_remove(draft);
    memory_free(draft);
    file_close(lock);
    return code;
}
