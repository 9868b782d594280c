/* SPDX-License-Identifier: MIT */
/* Who else may use a folder: other machines, by its file system. There are no containers. */
#include <sys/param.h>
#include <sys/mount.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

enum root_visibility root_visibility(const struct cache_root *root, const char **why)
{
    struct statfs disk;
    char *nearest = posix_nearest_existing(root->path);
    bool is_known = statfs(nearest, &disk) == 0;
    memory_free(nearest);
    *why = "";
    if (is_known && (disk.f_flags & MNT_LOCAL))
        return VISIBLE_ALL;
    *why = "its file system may be one that other machines use too";
    return VISIBLE_NOTHING;
}

bool system_identify(struct text *facts)
{
    char name[256] = "", boot[64] = "";
    size_t room = sizeof boot - 1;
    if (gethostname(name, sizeof name - 1) != 0 || sysctlbyname("kern.bootsessionuuid", boot, &room, NULL, 0) != 0)
        return false;
    text_add(facts, name);
    text_add(facts, boot);
    return true;
}
