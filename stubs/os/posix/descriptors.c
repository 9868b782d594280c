/* SPDX-License-Identifier: MIT */
/* File descriptors: which numbers they have, and the folder that is kept open to look up from there what is below it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#ifndef O_PATH
#define O_PATH O_RDONLY /* macOS: then the folder has to be readable */
#endif

static struct {
    int folder;
    char *path;
    size_t size;
} root = {.folder = -1};

int posix_avoid_standard(int file)
{
    if (file < 0 || file > STDERR_FILENO)
        return file;
    int moved = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(file);
    errno = error;
    return moved;
}

oserr posix_write(int file, const void *bytes, size_t size)
{
    for (const char *at = bytes; size;) {
        ssize_t done = write(file, at, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        at += done;
        size -= (size_t)done;
    }
    return 0;
}

int posix_resolve(const char **path)
{
    if (!root.path || strncmp(*path, root.path, root.size) != 0)
        return AT_FDCWD;
    const char *rest = *path + root.size;
    if (*rest != '/' && *rest)
        return AT_FDCWD;
    rest += strspn(rest, "/");
    *path = *rest ? rest : ".";
    return root.folder;
}

void root_close(void)
{
    if (root.folder >= 0)
        close(root.folder);
    memory_free(root.path);
    root.folder = -1;
    root.path = NULL;
}

void posix_set_missing_root(const char *path)
{
    root_close();
    root.path = text_copy(path, strlen(path));
    root.size = strlen(path);
}

oserr posix_open_root(const char *path)
{
    posix_set_missing_root(path);
    root.folder = posix_avoid_standard(openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return root.folder < 0 ? errno : 0;
}
