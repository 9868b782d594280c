/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: folders. Nothing here goes through a link. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* rename */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int open_folder(const char *path)
{
    int from = posix_resolve(&path);
    return openat(from, path, FOLDER);
}

/* A folder that gets another parent must be writable itself, and one of a layer is not. */
oserr file_rename(const char *from, const char *to)
{
    struct stat info;
    const char *path = from;
    int above = posix_resolve(&from), new_above = posix_resolve(&to);
    if (renameat(above, from, new_above, to) == 0)
        return 0;
    oserr error = errno;
    if (error != EACCES || fstatat(above, from, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode) ||
        (info.st_mode & S_IWUSR))
        return error;
    folder_writable(path, true);
    if (renameat(above, from, new_above, to) == 0)
        return 0;
    error = errno;
    folder_writable(path, false);
    return error;
}

oserr file_exchange(const char *one, const char *other)
{
    const char *path = one, *other_path = other;
    int above = posix_resolve(&one), other_above = posix_resolve(&other);
    if (posix_exchange(above, one, other_above, other) == 0)
        return 0;
    if (errno != EACCES)
        return errno;
    folder_writable(path, true);
    folder_writable(other_path, true);
    return posix_exchange(above, one, other_above, other) == 0 ? 0 : errno;
}

/* Remove what stands at a name, unless it is a folder that is not empty. In a folder of a layer nobody may. */
static oserr remove_name(int folder, const char *name, int kind)
{
    if (unlinkat(folder, name, kind) == 0)
        return 0;
    oserr error = errno;
    if (error == EACCES && fchmod(folder, 0700) == 0)
        error = unlinkat(folder, name, kind) == 0 ? 0 : errno;
    return error;
}

static oserr empty_folder(int folder)
{
    DIR *stream = fdopendir(folder);
    oserr first = stream ? 0 : errno;
    if (!stream)
        close(folder);
    for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        oserr error = remove_name(dirfd(stream), name, 0);
        if (!error)
            continue;
        int inner = openat(dirfd(stream), name, FOLDER);
        if (inner >= 0)
            error = empty_folder(inner);
        if (inner >= 0 && remove_name(dirfd(stream), name, AT_REMOVEDIR) == 0)
            error = 0;
        if (error && !first)
            first = error;
    }
    if (stream)
        closedir(stream);
    return first;
}

static oserr remove_file(const char *path)
{
    const char *name = path;
    int from = posix_resolve(&name);
    if (unlinkat(from, name, 0) == 0)
        return 0;
    oserr error = errno;
    if (error == EACCES) {
        char *above = path_parent(path);
        folder_writable(above, true);
        error = unlinkat(from, name, 0) == 0 ? 0 : errno;
        memory_free(above);
    }
    return error == ENOENT ? 0 : error;
}

oserr folder_remove(const char *path)
{
    const char *name = path;
    int from = posix_resolve(&name), folder = openat(from, name, FOLDER);
    if (folder < 0)
        return errno == ENOTDIR || errno == ELOOP ? remove_file(path) : errno == ENOENT ? 0 : errno;
    oserr error = empty_folder(folder);
    return unlinkat(from, name, AT_REMOVEDIR) == 0 ? 0 : error ? error : errno;
}

oserr folder_list_some(const char *path, struct text *names, size_t most, bool *cut)
{
    *cut = false;
    int folder = open_folder(path);
    DIR *stream = folder < 0 ? NULL : fdopendir(folder);
    if (!stream) {
        oserr error = errno;
        file_close(folder);
        return error;
    }
    for (struct dirent *entry; !*cut && (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        *cut = most-- == 0;
        if (!*cut)
            text_add_bytes(names, entry->d_name, strlen(entry->d_name) + 1);
    }
    closedir(stream);
    return 0;
}

oserr folder_list(const char *path, struct text *names)
{
    bool cut;
    return folder_list_some(path, names, SIZE_MAX, &cut);
}

void folder_writable(const char *path, bool writable)
{
    int folder = open_folder(path);
    if (folder < 0)
        return;
    (void)fchmod(folder, writable ? 0755 : 0555);
    close(folder);
}

void folder_mark_removal(const char *path)
{
    int folder = open_folder(path);
    if (folder < 0)
        return;
    (void)fchmod(folder, S_ISVTX | 0700);
    close(folder);
}

static bool is_folder(DIR *stream, const struct dirent *entry)
{
    struct stat info;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return false;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(stream), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/* One folder is open at a time, however deep the tree is: there may be few files. */
void folder_seal(const char *path)
{
    struct text inner = {0};
    int folder = open_folder(path);
    DIR *stream = folder < 0 ? NULL : fdopendir(folder);
    if (!stream && folder >= 0)
        close(folder);
    if (!stream)
        return;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (is_folder(stream, entry))
            text_add_bytes(&inner, entry->d_name, strlen(entry->d_name) + 1);
    closedir(stream);
    const char *end = text_of(&inner) + inner.size;
    for (const char *name = text_of(&inner); name < end; name += strlen(name) + 1) {
        char *below = path_join(path, name, NULL);
        folder_seal(below);
        folder_writable(below, false);
        memory_free(below);
    }
    text_free(&inner);
}

oserr folder_sync(const char *path)
{
    int folder = open_folder(path);
    if (folder < 0)
        return errno;
    oserr error = posix_sync(folder);
    close(folder);
    return error;
}
