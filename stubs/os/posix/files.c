/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: files and locks. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#define INHERITED_FROM 10

oserr file_stat(const char *path, bool follow, struct file_info *info)
{
    struct stat status;
    int from = posix_resolve(&path);
    *info = (struct file_info){0};
    if (fstatat(from, path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : errno;
    info->kind = S_ISREG(status.st_mode)   ? KIND_FILE
                 : S_ISDIR(status.st_mode) ? KIND_FOLDER
                 : S_ISLNK(status.st_mode) ? KIND_LINK
                                          : KIND_OTHER;
    info->size = (uint64_t)status.st_size;
    info->executable = (status.st_mode & S_IXUSR) != 0;
    info->age = (int64_t)time(NULL) - (int64_t)status.st_mtime;
    info->being_removed = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX);
    return 0;
}

oserr file_open(const char *path, handle *file)
{
    int from = posix_resolve(&path);
    *file = posix_avoid_standard(openat(from, path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
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

oserr file_close(handle file)
{
    return file >= 0 && close((int)file) != 0 && errno != EINTR ? errno : 0;
}

oserr file_write(const char *path, const void *bytes, size_t size)
{
    int from = posix_resolve(&path);
    int file = posix_avoid_standard(openat(from, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file < 0)
        return errno;
    oserr error = posix_write(file, bytes, size), late = file_close(file);
    return error ? error : late;
}

oserr file_link(const char *path, const char *target)
{
    int from = posix_resolve(&path);
    return symlinkat(target, from, path) == 0 ? 0 : errno;
}

oserr file_hardlink(const char *path, const char *original)
{
    int from = posix_resolve(&original), to = posix_resolve(&path);
    return linkat(from, original, to, path, 0) == 0 ? 0 : errno;
}

oserr file_read_link(const char *path, struct text *target)
{
    int from = posix_resolve(&path);
    size_t room = 256;
    char *bytes = memory(room, 1);
    ssize_t size;
    while ((size = readlinkat(from, path, bytes, room)) >= 0 && (size_t)size == room)
        bytes = memory_grown(bytes, room *= 2, 1);
    oserr error = size < 0 ? errno : 0;
    text_clear(target);
    if (!error)
        text_add_bytes(target, bytes, (size_t)size);
    memory_free(bytes);
    return error;
}

oserr folder_make(const char *path)
{
    int from = posix_resolve(&path);
    return mkdirat(from, path, 0755) == 0 ? 0 : errno;
}

oserr folder_make_all(const char *path)
{
    oserr error = folder_make(path);
    if (system_classify(error) == CLASS_EXISTS)
        return 0;
    if (error != ENOENT)
        return error;
    char *above = path_parent(path);
    error = folder_make_all(above);
    memory_free(above);
    if (!error)
        error = folder_make(path);
    return system_classify(error) == CLASS_EXISTS ? 0 : error; /* another thread or process was faster */
}

bool system_renames_open(void)
{
    return true;
}

bool system_runs_scripts(void)
{
    return true;
}

bool system_has_modes(void)
{
    return true;
}

void system_strip_signature(uint8_t *head, size_t size)
{
    (void)head, (void)size;
}

char system_list_separator(void)
{
    return ':';
}

const char *system_suffix(void)
{
    return "";
}

const char *system_programs(void)
{
    return "bin";
}

char *system_native_path(const char *path)
{
    return text_copy(path, strlen(path));
}

oserr lock_open(const char *path, handle *lock)
{
    int from = posix_resolve(&path);
    *lock = posix_avoid_standard(openat(from, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    return *lock < 0 ? errno : 0;
}

oserr lock_try(handle file, bool shared)
{
    return flock((int)file, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 ? 0 : errno;
}

bool file_is_unlinked(handle file, int64_t *unused)
{
    struct stat info;
    bool gone = fstat((int)file, &info) != 0 || info.st_nlink == 0;
    if (unused)
        *unused = gone ? 0 : (int64_t)time(NULL) - (int64_t)info.st_mtime;
    return gone;
}

void lock_touch(handle lock)
{
    (void)futimens((int)lock, NULL);
}

void file_touch(const char *path)
{
    int from = posix_resolve(&path);
    (void)utimensat(from, path, NULL, AT_SYMLINK_NOFOLLOW);
}

int lock_pass_on(handle file)
{
    if (file < 0)
        return -1;
    int given = fcntl((int)file, F_DUPFD, INHERITED_FROM);
    return given >= 0 ? given : fcntl((int)file, F_DUPFD, STDERR_FILENO + 1);
}
