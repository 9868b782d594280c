/* SPDX-License-Identifier: MIT */
/* What the POSIX files share; what differs between Linux and macOS is in os/linux and os/macos. */
#ifndef PYPACK_OS_POSIX_POSIX_H
#define PYPACK_OS_POSIX_POSIX_H

#include <sys/types.h>

#include "base/system.h"
#include "base/text.h"

/* Descriptors 0 to 2 may be closed when we start; nothing of ours may end up there. Returns -1 with errno kept. */
int posix_avoid_standard(int file);
oserr posix_write(int file, const void *bytes, size_t size); /* all of it */

/* The environment that `changes` make of ours, in one block of memory. */
char **posix_environment(const struct changes *changes);
uid_t posix_user(void); /* the effective one, asked once */
/* Follow a path from "/"; `real` becomes the path without links. THERE: a folder that nobody else can change or replace. */
enum path_state { PATH_TRUSTED, PATH_MISSING, PATH_REJECTED };
enum path_state posix_walk(const char *path, bool last_is_no_link, struct text *real, bool *is_own, struct text *why);
enum path_state posix_check_folder(const char *path); /* the same of that folder itself alone */
/* Keep the folder at this real path open: from now on what is below it is looked up from there. */
oserr posix_open_root(const char *path);
/* There is none yet: nothing below it is found, whatever appears there meanwhile. */
void posix_set_missing_root(const char *path);
/* Where to look up a path: `*path` becomes what is left of it. AT_FDCWD for what is not below that folder. */
int posix_resolve(const char **path);

/* Where users' caches are: a variable that may name the folder (or NULL), else a folder below the home folder. */
extern const char *const posix_cache_variable;
extern const char *const posix_cache_folder;
extern const char *const posix_cache_origin; /* for people */
/* Of a longer one there would be no room for the paths below it. */
extern const size_t posix_longest_root;
/* A real path, or the first folder above it that is there. */
char *posix_nearest_existing(const char *path);
/* Whether no program may be started from the disk that a folder is on. */
bool posix_is_noexec(const char *path);
/* Wait until all that was written to the disk that a folder is on is there. */
oserr posix_sync(int folder);
/* Let two files or folders change places, each below a folder or AT_FDCWD; -1 with errno where that cannot be had. */
int posix_exchange(int above, const char *one, int other_above, const char *other);
/* Close all files from a number on, and give way to all who do something. */
void posix_lower_priority(int from);

#endif
