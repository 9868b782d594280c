/* SPDX-License-Identifier: MIT */
/*
 * The way to the cache folder. A path is followed from "/" on, name by name and link by link: where only root and this user
 * can have made each of them, and nobody else can put another one there, nobody else can ever lead us elsewhere. What comes
 * out is a path without links. The folder at its end is kept open, and what is below it is looked up from there.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#define LINKS_MOST 40 /* as many as Linux follows */

/* ---- whose a file is ---- */

uid_t posix_user(void)
{
    static uid_t user = (uid_t)-1;
    return user == (uid_t)-1 ? (user = geteuid()) : user;
}

/*
 * Whoever owns "/" can replace the whole system anyway. That is not number 0 in a user namespace that does not know root: there
 * all of root's is shown as nobody's.
 */
static bool owns_system(uid_t owner)
{
    struct stat info;
    return lstat("/", &info) == 0 && info.st_uid == owner;
}

static bool is_trusted(uid_t owner)
{
    return owner == 0 || owner == posix_user();
}

/* A user's own group, of the same number, has nobody else in it; where each user has one, folders are its group's to write. */
static bool is_open_to_others(const struct stat *info)
{
    bool alone = info->st_uid == posix_user() && info->st_uid != 0 && info->st_gid == (gid_t)info->st_uid;
    return (info->st_mode & (alone ? S_IWOTH : S_IWGRP | S_IWOTH)) != 0;
}

enum path_state posix_check_folder(const char *path)
{
    struct stat info;
    int from = posix_resolve(&path);
    if (fstatat(from, path, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? PATH_MISSING : PATH_REJECTED;
    bool leaving = (info.st_mode & S_ISVTX) != 0; /* folder_mark_removal() */
    bool trusted = S_ISDIR(info.st_mode) && is_trusted(info.st_uid) && !is_open_to_others(&info) && !leaving;
    return trusted ? PATH_TRUSTED : PATH_REJECTED;
}

bool folder_is_trusted(const char *path)
{
    return posix_check_folder(path) == PATH_TRUSTED;
}

/* ---- the way there ---- */

struct walk {
    const char *given;
    bool last_is_no_link;
    struct text *real;  /* so far, without a link in it; empty is "/" */
    char *rest;         /* what is left to follow */
    unsigned links;
    struct stat info;   /* of the name that `real` ends in, if `is_known` */
    bool is_known;
    struct text *why;
};

/* How people call the name that `real` ends in. */
static const char *name_for_people(const struct walk *walk)
{
    return strcmp(text_of(walk->real), walk->given) == 0 ? "it" : text_of(walk->real);
}

static enum path_state reject(struct walk *walk, const char *what)
{
    text_clear(walk->why);
    text_format(walk->why, "%s %s", name_for_people(walk), what);
    return PATH_REJECTED;
}

static enum path_state reject_error(struct walk *walk, oserr error)
{
    text_clear(walk->why);
    text_format(walk->why, "%s: %s", text_of(walk->real), strerror(error));
    return PATH_REJECTED;
}

static enum path_state reject_open(struct walk *walk)
{
    text_clear(walk->why);
    text_format(walk->why, "others can write to %s (chmod go-w ", name_for_people(walk));
    text_add_quoted(walk->why, text_of(walk->real));
    text_add(walk->why, " would end that)");
    return PATH_REJECTED;
}

static void step_back(struct text *path)
{
    const char *slash = path->size ? strrchr(path->data, '/') : NULL;
    if (!slash)
        return;
    path->size = (size_t)(slash - path->data);
    path->data[path->size] = '\0';
}

/* Take the next name from what is left, in new memory; NULL at the end. */
static char *next_name(struct walk *walk)
{
    size_t begin = strspn(walk->rest, "/"), size = strcspn(walk->rest + begin, "/");
    if (size == 0)
        return NULL;
    char *name = text_copy(walk->rest + begin, size), *left = walk->rest + begin + size;
    memmove(walk->rest, left, strlen(left) + 1);
    return name;
}

static bool is_last(const struct walk *walk)
{
    return walk->rest[strspn(walk->rest, "/")] == '\0';
}

static enum path_state follow_link(struct walk *walk)
{
    struct text target = {0};
    if (walk->last_is_no_link && is_last(walk) && walk->links == 0)
        return reject(walk, "is a link");
    if (++walk->links > LINKS_MOST)
        return reject(walk, "is one of too many links");
    oserr error = file_read_link(text_of(walk->real), &target);
    if (error)
        return reject_error(walk, error);
    char *rest = path_join(text_of(&target), walk->rest + strspn(walk->rest, "/"), NULL);
    memory_free(walk->rest);
    walk->rest = rest;
    step_back(walk->real);
    if (*text_of(&target) == '/')
        text_clear(walk->real);
    text_free(&target);
    return PATH_TRUSTED;
}

static void add_component(struct walk *walk, const char *name)
{
    text_add(walk->real, "/");
    text_add(walk->real, name);
}

/* What is missing is to be made: then nothing of it may lead back. */
static enum path_state take_missing(struct walk *walk)
{
    for (char *name; (name = next_name(walk)) != NULL; memory_free(name)) {
        if (strcmp(name, "..") == 0) {
            memory_free(name);
            return reject(walk, "is missing");
        }
        if (strcmp(name, ".") != 0)
            add_component(walk, name);
    }
    return PATH_MISSING;
}

static enum path_state take_name(struct walk *walk, const char *name)
{
    struct stat *info = &walk->info;
    if (strcmp(name, ".") == 0)
        return PATH_TRUSTED;
    if (strcmp(name, "..") == 0) {
        step_back(walk->real);
        walk->is_known = false;
        return PATH_TRUSTED;
    }
    add_component(walk, name);
    walk->is_known = true;
    if (lstat(text_of(walk->real), info) != 0)
        return errno == ENOENT ? take_missing(walk) : reject_error(walk, errno);
    if (!is_trusted(info->st_uid) && (is_last(walk) || !owns_system(info->st_uid)))
        return reject(walk, "belongs to another user");
    if (S_ISLNK(info->st_mode))
        return follow_link(walk);
    if (!S_ISDIR(info->st_mode))
        return reject(walk, "is not a folder");
    if (is_open_to_others(info) && !(info->st_mode & S_ISVTX))
        return reject_open(walk);
    return PATH_TRUSTED;
}

enum path_state posix_walk(const char *path, bool last_is_no_link, struct text *real, bool *is_own, struct text *why)
{
    struct walk walk = {.given = path, .last_is_no_link = last_is_no_link, .real = real, .why = why};
    enum path_state state = PATH_TRUSTED;
    walk.rest = text_copy(path, strlen(path));
    text_clear(real);
    for (char *name; state == PATH_TRUSTED && (name = next_name(&walk)) != NULL; memory_free(name))
        state = take_name(&walk, name);
    if (!real->size)
        text_add(real, "/");
    if (state == PATH_TRUSTED && !walk.is_known && lstat(real->data, &walk.info) != 0)
        state = reject_error(&walk, errno);
    if (state == PATH_TRUSTED && is_open_to_others(&walk.info)) /* a folder like /tmp leads to others, but is no cache itself */
        state = reject_open(&walk);
    if (state == PATH_TRUSTED && !is_trusted(walk.info.st_uid))
        state = reject(&walk, "belongs to another user");
    *is_own = walk.info.st_uid == posix_user();
    memory_free(walk.rest);
    return state;
}
