/* SPDX-License-Identifier: MIT */
/* What the POSIX files share; what differs between Linux and macOS is in linux_*.c and macos_*.c. */
#ifndef PYPACK_POSIX_H
#define PYPACK_POSIX_H

#include "system.h"

/* Descriptors 0 to 2 may be closed when we start; nothing of ours may end up there. Returns -1 with errno kept. */
int posix_above_standard(int file);

/* Where users' caches are: a variable that may name the folder (or NULL), else a folder below the home folder. */
extern const char *const posix_cache_variable;
extern const char *const posix_cache_folder;
extern const char *const posix_cache_origin; /* for people */
/* Of a longer one there would be no room for the paths below it. */
extern const size_t posix_longest_place;
/* Whether no program may be started from the disk that a folder is on. */
bool posix_is_noexec(const char *path);

#endif
