/* SPDX-License-Identifier: MIT */
/* What Linux offers for writing through to the disk, and for work that nobody waits for. */
#include <errno.h>
#include <linux/fs.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/system.h"
#include "os/posix/posix.h"

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same for every processor */
#endif
#define FILES_MOST 65536
#define OF_A_PROCESS 1 /* IOPRIO_WHO_PROCESS */
#define WHEN_IDLE (3 << 13)

/*
 * Once for a whole tree: fsync of each of its files costs several times as much. Where a sandbox does not know the call the
 * system's own pace has to do.
 */
oserr posix_sync(int folder)
{
    return syncfs(folder) == 0 || errno == ENOSYS || errno == EPERM ? 0 : errno;
}

int posix_exchange(int above, const char *one, int other_above, const char *other)
{
    return (int)syscall(SYS_renameat2, above, one, other_above, other, RENAME_EXCHANGE);
}

void posix_lower_priority(int from)
{
    if (syscall(SYS_close_range, (unsigned)from, ~0U, 0U) != 0) { /* before Linux 5.9 */
        long most = sysconf(_SC_OPEN_MAX);
        for (int file = from; file < (most > 0 && most < FILES_MOST ? most : FILES_MOST); file++)
            close(file);
    }
    (void)setpriority(PRIO_PROCESS, 0, 19);
    (void)syscall(SYS_ioprio_set, OF_A_PROCESS, 0, WHEN_IDLE);
}
