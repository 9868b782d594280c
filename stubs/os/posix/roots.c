/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: which folders may be the cache, and which of them can be trusted. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#define PRIVILEGED "/var/cache/pypack"

static const char is_noexec[] = "programs may not be started from that disk (it is mounted noexec)";

static void add_root(struct cache_root **roots, size_t *count, struct cache_root root)
{
    *roots = memory_grown(*roots, *count + 1, sizeof **roots);
    (*roots)[(*count)++] = root;
}

static const char *nonempty_variable(const char *name)
{
    const char *value = system_variable(name);
    return value && *value ? value : NULL;
}

static char *make_absolute(const char *path)
{
    if (*path == '/')
        return text_copy(path, strlen(path));
    char *here = getcwd(NULL, 0);
    char *whole = path_join(here ? here : "/", path, NULL);
    free(here);
    return whole;
}

/* The user's home folder, or NULL; `variable` tells whether $HOME names it. */
static char *find_home_folder(bool *variable)
{
    const char *home = system_variable("HOME");
    *variable = home != NULL;
    if (home)
        return *home == '/' ? text_copy(home, strlen(home)) : NULL;
    const struct passwd *user = getpwuid(geteuid());
    return user && user->pw_dir && *user->pw_dir == '/' ? text_copy(user->pw_dir, strlen(user->pw_dir)) : NULL;
}

static void add_user_cache(struct cache_root **roots, size_t *count)
{
    const char *cache = posix_cache_variable ? nonempty_variable(posix_cache_variable) : NULL;
    if (cache && *cache == '/') {
        add_root(roots, count,
            (struct cache_root){text_copy("/", 1), path_join(cache, "pypack", NULL), posix_cache_variable, false});
        return;
    }
    bool variable;
    char *home = find_home_folder(&variable);
    if (home)
        add_root(roots, count, (struct cache_root){home, path_join(home, posix_cache_folder, "pypack", NULL),
                                          variable ? posix_cache_origin : "the user's home folder", false});
}

size_t root_list(struct cache_root **roots)
{
    size_t count = 0;
    *roots = NULL;
    if (system_is_privileged() && posix_user() != 0) /* whoever starts it has no say: the administrator put it there, or nobody */
        add_root(roots, &count,
            (struct cache_root){text_copy(PRIVILEGED, sizeof PRIVILEGED - 1), text_copy(PRIVILEGED, sizeof PRIVILEGED - 1),
                           "the administrator's cache", false});
    const char *named = nonempty_variable("PYPACK_CACHE_DIR");
    if (named)
        add_root(roots, &count, (struct cache_root){text_copy("/", 1), make_absolute(named), "PYPACK_CACHE_DIR", false});
    add_user_cache(roots, &count);
    struct stat info;
    const char *temporary = nonempty_variable("TMPDIR");
    if (temporary && (stat(temporary, &info) != 0 || !S_ISDIR(info.st_mode)))
        temporary = NULL; /* as for everybody who asks for a temporary folder */
    struct text name = {0};
    text_format(&name, "pypack-%lu", (unsigned long)posix_user());
    char *base = make_absolute(temporary ? temporary : "/tmp");
    add_root(roots, &count,
        (struct cache_root){base, path_join(base, name.data, NULL), temporary ? "TMPDIR" : "the temporary folder", true});
    text_free(&name);
    return count;
}

static enum root_state reject(struct text *why, const char *text)
{
    text_clear(why);
    text_add(why, text);
    return ROOT_UNFIT;
}

/* What fills these folders is started, and may be older than the rights of the folder that they are in. */
static const char *find_unfit_folder(const char *path)
{
    static const char *const inner[] = {"layers", "apps", "tmp"};
    const char *unfit = NULL;
    for (size_t i = 0; i < sizeof inner / sizeof *inner && !unfit; i++) {
        char *folder = path_join(path, inner[i], NULL);
        unfit = posix_check_folder(folder) == PATH_REJECTED ? inner[i] : NULL;
        memory_free(folder);
    }
    return unfit;
}

static enum root_state reject_folder(struct text *why, const char *path, const char *inside)
{
    text_clear(why);
    text_format(why, "%s in it is no folder that only its owner can write to (remove it: rm -r ", inside);
    char *folder = path_join(path, inside, NULL);
    text_add_quoted(why, folder);
    memory_free(folder);
    text_add(why, ")");
    return ROOT_UNFIT;
}

enum root_state root_inspect(struct cache_root *root, struct text *why)
{
    struct text real = {0};
    bool is_own;
    root_close();
    if (strpbrk(root->path, "\n\r"))
        return reject(why, "its name has a line break in it");
    enum path_state state = posix_walk(root->path, root->shared_above, &real, &is_own, why);
    if (state == PATH_REJECTED) {
        text_free(&real);
        return ROOT_UNFIT;
    }
    memory_free(root->path);
    root->path = real.data;
    if (real.size > posix_longest_root)
        return reject(why, "its name is so long that files in it could not be named");
    if (state == PATH_MISSING) {
        posix_set_missing_root(root->path);
        return ROOT_MISSING;
    }
    oserr error = posix_open_root(root->path);
    if (error)
        return reject(why, strerror(error));
    const char *inside = find_unfit_folder(root->path);
    if (inside)
        return reject_folder(why, root->path, inside);
    return is_own ? ROOT_READY : ROOT_READ_ONLY;
}

/* Make the folder and those above it that are missing, for this user alone. */
static oserr make_private(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return errno;
    char *above = path_parent(path);
    oserr error = make_private(above);
    memory_free(above);
    if (error)
        return error;
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

enum root_state root_make(struct cache_root *root, struct text *why)
{
    struct stat info;
    if (stat(root->base, &info) != 0)
        return reject(why, strerror(errno));
    oserr error = make_private(root->path);
    if (error)
        return reject(why, strerror(error));
    enum root_state state = root_inspect(root, why); /* the way there again: others may have been faster */
    if (state == ROOT_READY && posix_is_noexec(root->path))
        return reject(why, is_noexec);
    return state;
}

/* Whether a folder may be made in it; one that is missing is made first. */
static oserr check_writable(const char *path)
{
    return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static oserr check_writable_inside(const char *path)
{
    static const char *const inner[] = {"layers", "apps", "tmp"};
    oserr error = check_writable(path);
    for (size_t i = 0; i < sizeof inner / sizeof *inner && !error; i++) {
        char *folder = path_join(path, inner[i], NULL);
        error = check_writable(folder);
        error = error == ENOENT ? 0 : error;
        memory_free(folder);
    }
    return error;
}

static oserr check_room(const char *path, uint64_t bytes)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0)
        return errno;
    if (disk.f_files && !disk.f_favail)
        return ENOSPC;
    return (uint64_t)disk.f_bavail * disk.f_frsize < bytes ? ENOSPC : 0;
}

char *posix_nearest_existing(const char *path)
{
    struct stat info;
    char *nearest = text_copy(path, strlen(path));
    while (lstat(nearest, &info) != 0 && strcmp(nearest, "/") != 0) {
        char *above = path_parent(nearest);
        memory_free(nearest);
        nearest = above;
    }
    return nearest;
}

bool root_is_usable(const struct cache_root *root, uint64_t bytes, struct text *why)
{
    struct stat info;
    char *nearest = posix_nearest_existing(root->path);
    text_clear(why);
    oserr error = bytes && stat(root->base, &info) != 0 ? errno : 0;
    if (bytes && !error)
        error = check_writable_inside(nearest);
    if (bytes && !error)
        error = check_room(nearest, bytes);
    if (error)
        reject(why, strerror(error));
    else if (posix_is_noexec(nearest))
        reject(why, is_noexec);
    memory_free(nearest);
    return !error && !why->size;
}

bool root_is_privileged(const struct cache_root *root)
{
    return strcmp(root->path, PRIVILEGED) == 0; /* without a link on the way: below "/var", which is the system's */
}

bool root_is_shared(const struct cache_root *root)
{
    struct stat info;
    return geteuid() == 0 && (stat(root->path, &info) != 0 || (info.st_mode & (S_IXGRP | S_IXOTH)));
}

unsigned system_mask_modes(unsigned without)
{
    return (unsigned)umask((mode_t)without);
}
