/* SPDX-License-Identifier: MIT */
/* One folder after the other, until one can be used. */
#include "cache/roots.h"

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/trash.h"
#include "exit_codes.h"

static void note_failure(struct text *tried, const struct cache_root *root, const char *why)
{
    text_format(tried, "\n  %s (%s): %s", root->path, root->origin, why);
}

static void free_roots(struct cache_root *roots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memory_free(roots[i].base);
        memory_free(roots[i].path);
    }
    memory_free(roots);
}

int cache_use_first(struct launcher *launcher, int (*use)(struct launcher *))
{
    struct cache_root *roots;
    struct text tried = {0}, why = {0};
    size_t count = root_list(&roots);
    int code = TRY_NEXT_CACHE;
    for (size_t i = 0; i < count && code == TRY_NEXT_CACHE; i++) {
        enum root_state state = root_inspect(&roots[i], &why);
        launcher->root = &roots[i];
        launcher->read_only = state == ROOT_READ_ONLY;
        launcher->prepared = false;
        launcher->app[0] = '\0';
        report_debug(&launcher->report, "cache folder %s (%s)%s%s", roots[i].path, roots[i].origin,
                     state == ROOT_UNFIT ? ": " : "", state == ROOT_UNFIT ? text_of(&why) : "");
        if (state == ROOT_UNFIT) {
            note_failure(&tried, &roots[i], text_of(&why));
            continue;
        }
        code = use(launcher);
        if (code == TRY_NEXT_CACHE && launcher->trash.size) { /* there may be room once that is gone */
            cache_empty_trash(launcher);
            code = use(launcher);
        }
        cache_empty_trash(launcher);
        if (code == TRY_NEXT_CACHE) {
            note_failure(&tried, &roots[i], text_of(&launcher->fault.what));
            report_debug(&launcher->report, "this folder cannot be used: %s", text_of(&launcher->fault.what));
        }
    }
    if (code == TRY_NEXT_CACHE)
        code = fault_set(&launcher->fault, EXIT_NO_CACHE,
                         "free some space on the disk; or set the variable PYPACK_CACHE_DIR to a folder of yours that has "
                         "room, from which programs may be started (not mounted noexec)",
                         "there is no folder to unpack this program to; tried:%s", text_of(&tried));
    launcher->root = NULL;
    root_close();
    text_free(&tried);
    text_free(&why);
    free_roots(roots, count);
    return code;
}

