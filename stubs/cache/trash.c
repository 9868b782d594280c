/* SPDX-License-Identifier: MIT */
/*
 * Folders get into their places and out of them in one step, and what is out of the way is removed later: beside the program that
 * has found it, which waits for none of that.
 */
#include "cache/trash.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/drafts.h"
#include "cache/launcher.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "exit_codes.h"
#include "format/launch_block.h"

#define PUBLISH_TRIES 100

oserr cache_trash(struct launcher *launcher, const char *path)
{
    char *draft;
    oserr error = cache_new_draft(launcher, CACHE_GC_LOCK, &draft);
    if (error)
        return error;
    error = file_rename(path, draft); /* the empty folder that was just made gives way */
    text_add_bytes(&launcher->trash, draft, strlen(draft) + 1);
    memory_free(draft);
    return error;
}

/*
 * A folder that comes with an image (the lower layer of an overlayfs) cannot be renamed, only emptied where it stands. What a
 * start looks at goes first: wherever this ends, none takes what is left for whole.
 */
static oserr remove_in_place(const struct launcher *launcher, const char *path)
{
    const struct launch *launch = &launcher->bundle.launch;
    report_debug(&launcher->report, "%s cannot be moved: it is emptied where it is", path);
    folder_mark_removal(path);
    for (size_t i = 0; i <= launch->sentinel_count; i++) {
        bool settings = i == launch->sentinel_count; /* of apps/<id> */
        char *file = path_join(path, settings ? APP_SETTINGS : launch->sentinels[i].path, NULL);
        folder_remove(file);
        memory_free(file);
    }
    return folder_remove(path);
}

/* Where other machines may have files of it in use it stays for good: its name serves what it held a moment later. */
static oserr keep_in_tmp(struct launcher *launcher, const char *name, const char *path, const char *why)
{
    char *draft;
    struct text kept = {0};
    text_format(&kept, "kept-%s", name);
    oserr error = cache_new_draft(launcher, kept.data, &draft);
    text_free(&kept);
    if (error)
        return error;
    error = file_rename(path, draft); /* the empty folder that was just made gives way */
    if (!error)
        report_debug(&launcher->report, "%s stays in %s: %s", path, draft, why);
    memory_free(draft);
    return error;
}

/* A folder goes into tmp/ in one step before it is removed; anything else was put there by somebody. */
static oserr clear_path(struct launcher *launcher, const char *name, const char *path)
{
    struct file_info info;
    const char *why;
    oserr error = file_stat(path, false, &info);
    if (error || info.kind != KIND_FOLDER)
        return error ? error : folder_remove(path);
    bool stays = root_visibility(launcher->root, &why) == VISIBLE_NOTHING;
    error = stays ? keep_in_tmp(launcher, name, path, why) : cache_trash(launcher, path);
    return system_classify(error) == CLASS_CROSS_DEVICE ? remove_in_place(launcher, path) : error;
}

/* What stands at `final` gives way to the draft: in one step where the system can, so that no start ever finds nothing there. */
static oserr make_way(struct launcher *launcher, const char *name, const char *draft, const char *final, bool *exchanged)
{
    *exchanged = file_exchange(draft, final) == 0;
    oserr error = clear_path(launcher, name, *exchanged ? draft : final);
    return *exchanged || system_classify(error) == CLASS_MISSING ? 0 : error; /* missing: somebody else has moved it away */
}

int cache_publish(struct launcher *launcher, const char *name, const char *draft, const char *final, sound_check *is_sound,
              const void *what)
{
    bool sound = is_sound && is_sound(launcher, what), published = false;
    oserr error = sound ? 0 : folder_sync(draft); /* a name that is on the disk leads to what is there too */
    if (error)
        return cache_fail(launcher, error, "writing it to the disk");
    for (int tries = 0; tries < PUBLISH_TRIES && !sound && !published; tries++) { /* without locks others are at it as well */
        error = file_rename(draft, final);
        published = !error;
        sound = error && is_sound && is_sound(launcher, what); /* somebody was faster */
        oserr stuck = published || sound ? 0 : make_way(launcher, name, draft, final, &published);
        if (stuck)
            return cache_fail(launcher, stuck, "putting a folder into its place");
    }
    if (sound)
        folder_remove(draft); /* now: in a container nobody may come to remove it later */
    return sound || published ? EXIT_FINE : cache_fail(launcher, error, "putting a folder into its place");
}

int cache_discard(struct launcher *launcher, const char *name, const char *path)
{
    oserr error = clear_path(launcher, name, path), left = cache_empty_trash(launcher);
    if (!error && !left)
        return EXIT_FINE;
    return fault_set(&launcher->fault, TRY_NEXT_CACHE, "", "%s while removing %s", system_text(error ? error : left), path);
}

/* ---- removing it ---- */

oserr trash_remove(const struct text *paths)
{
    oserr first = 0;
    const char *end = text_of(paths) + paths->size;
    for (const char *path = text_of(paths); path < end; path += strlen(path) + 1) {
        oserr error = folder_remove(path);
        first = first ? first : error;
    }
    return first;
}

oserr cache_empty_trash(struct launcher *launcher)
{
    oserr error = trash_remove(&launcher->trash);
    text_clear(&launcher->trash);
    return error;
}
