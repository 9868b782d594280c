/* SPDX-License-Identifier: MIT */
/* Locks in the cache: they save work, and nothing depends on them. A lock is a file in tmp/. */
#include "cache/locks.h"

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "exit_codes.h"

#ifndef LOCK_SECONDS
#define LOCK_SECONDS 60 /* since whoever holds it has shown that it works */
#endif
#define LOCK_PAUSE 25 /* milliseconds */
#define LIFE_PAUSE 1000
#define NANOSECONDS UINT64_C(1000000000)

/* Whether whoever holds a lock has stamped it since `shown`, a time on its own clock. */
static bool has_shown_life(handle lock, int64_t *shown)
{
    int64_t unused = 0;
    file_is_unlinked(lock, &unused);
    int64_t stamped = (int64_t)(system_clock() / NANOSECONDS) - unused;
    bool newer = stamped > *shown + 1; /* rounded twice */
    *shown = newer ? stamped : *shown;
    return newer;
}

/*
 * Wait for the lock. Whoever holds it is unpacking, or was killed, which frees it; or it hangs: then we go on without. Without a
 * lock, also on a file system that has none, putting a whole folder into its place decides.
 */
static void wait_for_lock(struct launcher *launcher, const char *path, handle *lock)
{
    int64_t shown = INT64_MIN / 2;
    struct progress progress;
    progress_begin(&progress, &launcher->report, "waiting for another start, which is preparing it", 0);
    has_shown_life(*lock, &shown);
    oserr error = lock_try(*lock, false);
    while (system_classify(error) == CLASS_BUSY && launcher->waited < LOCK_SECONDS * 1000U) {
        progress_show(&progress);
        system_sleep(LOCK_PAUSE);
        launcher->waited += LOCK_PAUSE;
        if (launcher->waited % LIFE_PAUSE == 0 && has_shown_life(*lock, &shown))
            launcher->waited = 0;
        error = lock_try(*lock, false);
    }
    progress_end(&progress);
    if (error) {
        report_debug(&launcher->report, "no lock on %s: %s", path, system_text(error));
        file_close(*lock);
        *lock = NO_HANDLE;
    }
}

int cache_lock(struct launcher *launcher, const char *name, handle *lock)
{
    char *path = cache_lock_path(launcher, name);
    int code = EXIT_FINE;
    bool again;
    do { /* whoever tidies up removes locks that nobody holds: then this is one of a file that is gone */
        oserr error = lock_open(path, lock);
        if (error)
            code = cache_fail(launcher, error, "making a lock in it");
        else
            wait_for_lock(launcher, path, lock);
        again = code == EXIT_FINE && *lock != NO_HANDLE && file_is_unlinked(*lock, NULL);
        if (again)
            file_close(*lock);
    } while (again);
    memory_free(path);
    return code;
}

bool cache_lock_now(struct launcher *launcher, const char *name, handle *lock)
{
    char *path = cache_lock_path(launcher, name);
    bool held = lock_open(path, lock) == 0;
    if (held && (lock_try(*lock, false) != 0 || file_is_unlinked(*lock, NULL))) {
        file_close(*lock);
        held = false;
    }
    memory_free(path);
    return held;
}

int cache_lock_gc(struct launcher *launcher, handle *lock)
{
    return cache_lock(launcher, CACHE_GC_LOCK, lock);
}
