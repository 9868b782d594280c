/* SPDX-License-Identifier: MIT */
/* Who else may use a folder: other machines, by where its disk is. Files in use cannot be moved or removed anyway. */
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"
#include "os/windows/rights.h"

/* The letter of a path, or 0: a network's path, which another machine serves. */
static wchar_t find_drive(const char *path)
{
    path += strncmp(path, "//?/", 4) == 0 ? 4 : 0;
    return path[0] && path[1] == ':' ? (wchar_t)(unsigned char)path[0] : 0;
}

enum root_visibility root_visibility(const struct cache_root *root, const char **why)
{
    wchar_t first[] = L"C:\\";
    first[0] = find_drive(root->path);
    *why = "";
    if (first[0] && GetDriveTypeW(first) != DRIVE_REMOTE)
        return VISIBLE_ALL;
    *why = "its disk is one that other machines use too";
    return VISIBLE_NOTHING;
}

/* The folder itself, or the first one above it that is there. */
static wchar_t *find_nearest(const char *path)
{
    char *at = text_copy(path, strlen(path));
    wchar_t *wide = wide_path(at);
    while (GetFileAttributesW(wide) == INVALID_FILE_ATTRIBUTES) {
        char *above = path_parent(at);
        bool end = strlen(above) >= strlen(at) || !strchr(above, '/');
        memory_free(at);
        at = above;
        memory_free(wide);
        wide = wide_path(at);
        if (end)
            break;
    }
    memory_free(at);
    return wide;
}

bool root_is_usable(const struct cache_root *root, uint64_t bytes, struct text *why)
{
    ULARGE_INTEGER free;
    wchar_t *wide = find_nearest(root->path);
    oserr error = 0;
    if (bytes && !rights_can_write(wide))
        error = ERROR_ACCESS_DENIED;
    else if (bytes && GetDiskFreeSpaceExW(wide, &free, NULL, NULL) && free.QuadPart < bytes)
        error = ERROR_DISK_FULL;
    memory_free(wide);
    text_clear(why);
    if (error)
        text_add(why, system_text(error));
    return !error;
}

bool system_is_running(unsigned long process)
{
    DWORD code = 0;
    HANDLE found = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)process);
    if (!found)
        return GetLastError() != ERROR_INVALID_PARAMETER;
    bool running = !GetExitCodeProcess(found, &code) || code == STILL_ACTIVE;
    CloseHandle(found);
    return running;
}

/* The machine's name: a number of a process that ran before the last boot may be another one's now, then a day passes. */
bool system_identify(struct text *facts)
{
    wchar_t name[MAX_COMPUTERNAME_LENGTH + 1];
    DWORD room = MAX_COMPUTERNAME_LENGTH + 1;
    if (!GetComputerNameW(name, &room))
        return false;
    char *narrow = narrow_text(name);
    text_add(facts, narrow);
    memory_free(narrow);
    return true;
}
