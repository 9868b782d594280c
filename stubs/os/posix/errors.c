/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: what errors mean. */
#include <errno.h>
#include <string.h>

#include "base/system.h"

enum error_class system_classify(oserr error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return CLASS_MISSING;
    case EEXIST:
    case ENOTEMPTY:
        return CLASS_EXISTS;
    case EWOULDBLOCK:
    case EINTR:
        return CLASS_BUSY;
    case EXDEV:
        return CLASS_CROSS_DEVICE;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EROFS:
    case EACCES:
    case EPERM:
    case EIO:
    case ENAMETOOLONG:
        return CLASS_UNWRITABLE;
    default:
        return CLASS_OTHER;
    }
}

const char *system_text(oserr error)
{
    return strerror(error);
}
