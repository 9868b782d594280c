/* SPDX-License-Identifier: MIT */
/* Where Linux keeps what can be made again (XDG Base Directory Specification), and how a disk is mounted. */
#include <sys/statvfs.h>

#include "os/posix/posix.h"

#ifndef ST_NOEXEC
#define ST_NOEXEC 8 /* Linux's value; some headers hide it */
#endif

const char *const posix_cache_variable = "XDG_CACHE_HOME";
const char *const posix_cache_folder = ".cache";
const char *const posix_cache_origin = "$HOME/.cache";
const size_t posix_longest_root = 3584; /* the system's limit is 4096 */

bool posix_is_noexec(const char *path)
{
    struct statvfs disk;
    return statvfs(path, &disk) == 0 && (disk.f_flag & ST_NOEXEC);
}
