/* SPDX-License-Identifier: MIT */
/* What killed processes have left in tmp/. */
#include "cache/leftovers.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/drafts.h"
#include "cache/launcher.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/trash.h"

#define LEFT_MOST 256 /* how much in tmp/ a start looks at */

static bool is_in_trash(const struct launcher *launcher, const char *path)
{
    const char *end = text_of(&launcher->trash) + launcher->trash.size;
    for (const char *other = text_of(&launcher->trash); other < end; other += strlen(other) + 1)
        if (strcmp(other, path) == 0)
            return true;
    return false;
}

void cache_remove_leftovers(struct launcher *launcher, const char *name, handle lock)
{
    if (lock == NO_HANDLE)
        return;
    struct text names = {0};
    size_t size = strlen(name);
    bool cut = false;
    char *folder = cache_path(launcher, "tmp", NULL);
    if (folder_list_some(folder, &names, LEFT_MOST, &cut) == 0) {
        const char *end = names.data + names.size;
        for (const char *entry = names.data; entry < end; entry += strlen(entry) + 1) {
            if (strncmp(entry, name, size) != 0 || !draft_is_abandoned(folder, entry, size))
                continue;
            char *path = path_join(folder, entry, NULL);
            if (!is_in_trash(launcher, path)) {
                report_debug(&launcher->report, "removing what was left in %s", path);
                if (cache_trash(launcher, path) != 0)
                    folder_remove(path);
            }
            memory_free(path);
        }
    }
    launcher->more_trash = launcher->more_trash || cut;
    text_free(&names);
    memory_free(folder);
}

void cache_remove_all_leftovers(struct launcher *launcher, const char *name)
{
    handle lock;
    if (!cache_lock_now(launcher, name, &lock))
        return;
    cache_remove_leftovers(launcher, name, lock);
    char *path = cache_lock_path(launcher, name);
    if (system_renames_open()) /* elsewhere its name stays taken until the last one who waits has closed it */
        folder_remove(path);
    memory_free(path);
    file_close(lock);
}
