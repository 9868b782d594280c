/* SPDX-License-Identifier: MIT */
/* system.h for Windows: what errors mean. */
#include <wchar.h>

#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

enum error_class system_classify(oserr error)
{
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return CLASS_MISSING;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
    case ERROR_DIR_NOT_EMPTY:
        return CLASS_EXISTS;
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
        return CLASS_BUSY;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_NOT_SUPPORTED:
        return CLASS_UNSUPPORTED;
    case ERROR_NOT_SAME_DEVICE:
        return CLASS_CROSS_DEVICE;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_WRITE_PROTECT:
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
    case ERROR_DISK_QUOTA_EXCEEDED:
    case ERROR_NOT_READY:
    case ERROR_CRC:
    case ERROR_IO_DEVICE:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_NETWORK_ACCESS_DENIED:
    case ERROR_FILENAME_EXCED_RANGE:
    case ERROR_VIRUS_INFECTED:
    case ERROR_ACCESS_DISABLED_BY_POLICY:
        return CLASS_UNWRITABLE;
    default:
        return CLASS_OTHER;
    }
}

const char *system_text(oserr error)
{
    wchar_t *message = NULL;
    DWORD size = FormatMessageW(
        FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD)error, 0,
        (wchar_t *)(void *)&message, 0, NULL);
    while (size && wcschr(L"\r\n. ", message[size - 1]))
        message[--size] = L'\0';
    struct text number = {0};
    text_format(&number, "error %d", error);
    char *text = size ? narrow_text(message) : number.data; /* not freed: a process has few of them to tell */
    LocalFree(message);
    return text;
}
