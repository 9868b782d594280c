/* SPDX-License-Identifier: MIT */
/* What macOS offers for writing through to the disk, and for work that nobody waits for. */
#include <errno.h>
#include <stdio.h> /* renameatx_np */
#include <sys/resource.h>
#include <unistd.h>

#include "base/system.h"
#include "os/posix/posix.h"

#define FILES_MOST 65536

/* Once for a whole tree: F_FULLFSYNC of each of its files would take minutes. Not every kind of disk knows the call. */
oserr posix_sync(int folder)
{
    return fsync_volume_np(folder, SYNC_VOLUME_FULLSYNC | SYNC_VOLUME_WAIT) == 0 || errno != EIO ? 0 : errno;
}

int posix_exchange(int above, const char *one, int other_above, const char *other)
{
    return renameatx_np(above, one, other_above, other, RENAME_SWAP);
}

void posix_lower_priority(int from)
{
    int most = getdtablesize();
    for (int file = from; file < (most < FILES_MOST ? most : FILES_MOST); file++)
        close(file);
    (void)setpriority(PRIO_DARWIN_PROCESS, 0, PRIO_DARWIN_BG); /* disk accesses too */
}
