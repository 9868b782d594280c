/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: files, folders and locks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* rename */
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"

#define INHERITED_FROM 10

int posix_above_standard(int file)
{
    if (file < 0 || file > STDERR_FILENO)
        return file;
    int moved = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(file);
    errno = error;
    return moved;
}

oserr file_look(const char *path, bool follow, struct file_info *info)
{
    struct stat found;
    *info = (struct file_info){0};
    if ((follow ? stat(path, &found) : lstat(path, &found)) != 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : errno;
    info->kind = S_ISREG(found.st_mode)   ? KIND_FILE
                 : S_ISDIR(found.st_mode) ? KIND_FOLDER
                 : S_ISLNK(found.st_mode) ? KIND_LINK
                                          : KIND_OTHER;
    info->size = (uint64_t)found.st_size;
    info->executable = (found.st_mode & S_IXUSR) != 0;
    return 0;
}

oserr file_open(const char *path, handle *file)
{
    *file = posix_above_standard(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
    return *file < 0 ? errno : 0;
}

oserr file_read(handle file, void *bytes, size_t size, uint64_t offset, size_t *got)
{
    for (*got = 0; *got < size;) {
        ssize_t part = pread((int)file, (char *)bytes + *got, size - *got, (off_t)(offset + *got));
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return errno;
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return 0;
}

void file_close(handle file)
{
    if (file >= 0)
        close((int)file);
}

oserr file_write(const char *path, const void *bytes, size_t size)
{
    int file = posix_above_standard(open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file < 0)
        return errno;
    oserr error = tree_write(file, bytes, size);
    if (close(file) != 0 && !error)
        error = errno;
    return error;
}

oserr file_link(const char *path, const char *target)
{
    return symlink(target, path) == 0 ? 0 : errno;
}

oserr file_twin(const char *path, const char *original)
{
    return link(original, path) == 0 ? 0 : errno;
}

oserr file_read_link(const char *path, struct text *target)
{
    size_t room = 256;
    char *bytes = memory(room, 1);
    ssize_t size;
    while ((size = readlink(path, bytes, room)) >= 0 && (size_t)size == room)
        bytes = memory_grown(bytes, room *= 2, 1);
    oserr error = size < 0 ? errno : 0;
    text_clear(target);
    if (!error)
        text_add_bytes(target, bytes, (size_t)size);
    memory_free(bytes);
    return error;
}

oserr file_rename(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : errno;
}

oserr folder_make(const char *path)
{
    return mkdir(path, 0755) == 0 ? 0 : errno;
}

oserr folder_make_all(const char *path)
{
    oserr error = folder_make(path);
    if (system_meaning(error) == MEANS_EXISTS)
        return 0;
    if (error != ENOENT)
        return error;
    char *above = path_parent(path);
    error = folder_make_all(above);
    memory_free(above);
    if (!error)
        error = folder_make(path);
    return system_meaning(error) == MEANS_EXISTS ? 0 : error; /* another thread or process was faster */
}

static oserr empty_folder(int folder)
{
    DIR *stream = fdopendir(folder);
    oserr first = stream ? 0 : errno;
    if (!stream)
        close(folder);
    for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(dirfd(stream), name, 0) == 0)
            continue;
        oserr error = errno;
        int inner = openat(dirfd(stream), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner >= 0)
            error = empty_folder(inner);
        if (inner >= 0 && unlinkat(dirfd(stream), name, AT_REMOVEDIR) == 0)
            error = 0;
        if (error && !first)
            first = error;
    }
    if (stream)
        closedir(stream);
    return first;
}

oserr folder_remove(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOTDIR || errno == ELOOP ? (unlink(path) == 0 ? 0 : errno) : errno == ENOENT ? 0 : errno;
    oserr error = empty_folder(folder);
    return rmdir(path) == 0 ? 0 : error ? error : errno;
}

bool system_moves_open(void)
{
    return true;
}

bool system_runs_text(void)
{
    return true;
}

bool system_has_modes(void)
{
    return true;
}

void system_unsign(uint8_t *head, size_t size)
{
    (void)head, (void)size;
}

const char *system_suffix(void)
{
    return "";
}

char *system_native(const char *path)
{
    return text_copy(path, strlen(path));
}

oserr folder_list(const char *path, struct text *names)
{
    DIR *stream = opendir(path);
    if (!stream)
        return errno;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            text_add_bytes(names, entry->d_name, strlen(entry->d_name) + 1);
    closedir(stream);
    return 0;
}

oserr lock_open(const char *path, handle *lock)
{
    *lock = posix_above_standard(open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    return *lock < 0 ? errno : 0;
}

oserr lock_try(handle file, bool shared)
{
    return flock((int)file, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 ? 0 : errno;
}

bool file_is_gone(handle file, int64_t *unused)
{
    struct stat info;
    bool gone = fstat((int)file, &info) != 0 || info.st_nlink == 0;
    if (unused)
        *unused = gone ? 0 : (int64_t)time(NULL) - (int64_t)info.st_mtime;
    return gone;
}

void file_stamp(const char *path)
{
    (void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

int lock_inherited(handle file)
{
    if (file < 0)
        return -1;
    int given = fcntl((int)file, F_DUPFD, INHERITED_FROM);
    return given >= 0 ? given : fcntl((int)file, F_DUPFD, STDERR_FILENO + 1);
}
