/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: which folders may be the cache, and which of them can be trusted. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix.h"

static void add(struct place **places, size_t *count, struct place place)
{
    *places = memory_grown(*places, *count + 1, sizeof **places);
    (*places)[(*count)++] = place;
}

static const char *filled(const char *name)
{
    const char *value = system_variable(name);
    return value && *value ? value : NULL;
}

static char *absolute(const char *path)
{
    if (*path == '/')
        return text_copy(path, strlen(path));
    char *here = getcwd(NULL, 0);
    char *whole = path_join(here ? here : "/", path, NULL);
    free(here);
    return whole;
}

/* The user's home folder, or NULL; `variable` tells whether $HOME names it. */
static char *home_folder(bool *variable)
{
    const char *home = system_variable("HOME");
    *variable = home != NULL;
    if (home)
        return *home == '/' ? text_copy(home, strlen(home)) : NULL;
    const struct passwd *user = getpwuid(geteuid());
    return user && user->pw_dir && *user->pw_dir == '/' ? text_copy(user->pw_dir, strlen(user->pw_dir)) : NULL;
}

static void add_user_cache(struct place **places, size_t *count)
{
    const char *cache = posix_cache_variable ? filled(posix_cache_variable) : NULL;
    if (cache && *cache == '/') {
        add(places, count,
            (struct place){text_copy("/", 1), path_join(cache, "pypack", NULL), posix_cache_variable, false});
        return;
    }
    bool variable;
    char *home = home_folder(&variable);
    if (home)
        add(places, count, (struct place){home, path_join(home, posix_cache_folder, "pypack", NULL),
                                          variable ? posix_cache_origin : "the user's home folder", false});
}

size_t place_list(struct place **places)
{
    size_t count = 0;
    *places = NULL;
    const char *named = filled("PYPACK_CACHE_DIR");
    if (named)
        add(places, &count, (struct place){text_copy("/", 1), absolute(named), "PYPACK_CACHE_DIR", false});
    add_user_cache(places, &count);
    const char *temporary = filled("TMPDIR");
    struct text name = {0};
    text_format(&name, "pypack-%lu", (unsigned long)geteuid());
    char *base = absolute(temporary ? temporary : "/tmp");
    add(places, &count,
        (struct place){base, path_join(base, name.data, NULL), temporary ? "TMPDIR" : "the temporary folder", true});
    text_free(&name);
    return count;
}

static enum place_state unfit(struct text *why, const char *text)
{
    text_clear(why);
    text_add(why, text);
    return PLACE_UNFIT;
}

enum place_state place_look(const struct place *place, struct text *why)
{
    struct stat info;
    if (strpbrk(place->path, "\n\r"))
        return unfit(why, "its name has a line break in it");
    if (strlen(place->path) > posix_longest_place)
        return unfit(why, "its name is so long that files in it could not be named");
    if ((place->shared_above ? lstat : stat)(place->path, &info) != 0)
        return errno == ENOENT ? PLACE_MISSING : unfit(why, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return unfit(why, S_ISLNK(info.st_mode) ? "it is a link" : "it is not a folder");
    if (info.st_mode & (S_IWGRP | S_IWOTH))
        return unfit(why, "others can write to it (chmod go-w would cure that)");
    if (info.st_uid == geteuid())
        return PLACE_READY;
    return info.st_uid == 0 ? PLACE_READ_ONLY : unfit(why, "it belongs to another user");
}

/* Make the folder and those between it and the base, for this user alone. */
static oserr make_private(const char *base, const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT || strcmp(base, path) == 0)
        return errno;
    char *above = path_parent(path);
    oserr error = strlen(above) < strlen(base) || strcmp(above, base) == 0 ? ENOENT : make_private(base, above);
    memory_free(above);
    if (error)
        return error;
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

/* What root would make in the home of another user (sudo) that user could never change again. */
static bool is_anothers(const struct place *place)
{
    struct stat info;
    return geteuid() == 0 && !place->shared_above && stat(place->base, &info) == 0 && info.st_uid != 0;
}

enum place_state place_make(const struct place *place, struct text *why)
{
    struct stat info;
    if (is_anothers(place) && stat(place->path, &info) != 0)
        return unfit(why, "root makes nothing in the home of another user");
    oserr error = make_private(place->base, place->path);
    if (error)
        return unfit(why, strerror(error));
    enum place_state state = place_look(place, why);
    if (state == PLACE_READY && posix_is_noexec(place->path))
        return unfit(why, "programs may not be started from that disk (it is mounted noexec)");
    return state;
}

bool place_is_common(const struct place *place)
{
    struct stat info;
    return geteuid() == 0 && (stat(place->path, &info) != 0 || (info.st_mode & (S_IXGRP | S_IXOTH)));
}

unsigned place_modes(unsigned without)
{
    return (unsigned)umask((mode_t)without);
}
