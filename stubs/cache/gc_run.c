/* SPDX-License-Identifier: MIT */
/* When what leaves the cache is removed: beside the program, which waits for none of that, or now. */
#include "cache/gc_run.h"

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/gc.h"
#include "cache/launcher.h"
#include "cache/trash.h"

/* In a process of its own, or in a thread: then the launcher is not ours. */
struct removal {
    struct text paths;
    struct launcher *launcher;
};

static void remove_detached(void *argument)
{
    struct removal *removal = argument;
    trash_remove(&removal->paths);
    for (bool more = removal->launcher && removal->launcher->more_trash; more;) {
        removal->launcher->more_trash = false;
        gc_collect(removal->launcher);
        more = removal->launcher->more_trash && removal->launcher->trash.size;
        cache_empty_trash(removal->launcher);
    }
}

void gc_start(struct launcher *launcher)
{
    gc_collect(launcher);
    if (!launcher->trash.size && !launcher->more_trash)
        return;
    struct removal *removal = memory(1, sizeof *removal);
    removal->paths = launcher->trash;
    removal->launcher = system_renames_open() ? launcher : NULL;
    launcher->trash = (struct text){0};
    if (!system_run_detached(remove_detached, removal)) { /* the first process of a container: nobody may come to do it later */
        trash_remove(&removal->paths);
        text_free(&removal->paths);
        memory_free(removal);
    }
    launcher->more_trash = false;
}

void gc_finish(struct launcher *launcher)
{
    bool more;
    do {
        launcher->more_trash = false;
        gc_collect(launcher);
        more = launcher->more_trash && launcher->trash.size;
        cache_empty_trash(launcher);
    } while (more);
}
