/* SPDX-License-Identifier: MIT */
/* Where macOS keeps what can be made again, and how a disk is mounted. */
#include <sys/param.h>
#include <sys/mount.h>

#include "os/posix/posix.h"

const char *const posix_cache_variable = NULL;
const char *const posix_cache_folder = "Library/Caches";
const char *const posix_cache_origin = "$HOME/Library/Caches";
const size_t posix_longest_root = 640; /* the system's limit is 1024 */

bool posix_is_noexec(const char *path)
{
    struct statfs disk;
    return statfs(path, &disk) == 0 && (disk.f_flags & MNT_NOEXEC);
}
