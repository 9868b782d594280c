/* SPDX-License-Identifier: MIT */
/* system.h for Windows: folders. Nothing here goes through a link or a junction. */
#include <string.h>
#include <wchar.h>

#include "windows_body.h"

#define TRIES 40 /* of what a virus scanner, which has just opened a new file, hinders for a moment */
#define PAUSE 25 /* milliseconds between them */

bool system_moves_open(void)
{
    return false; /* no folder can be renamed while a file in it is open */
}

oserr folder_make(const char *path)
{
    wchar_t *wide = wide_path(path);
    oserr error = CreateDirectoryW(wide, NULL) ? 0 : last_error();
    memory_free(wide);
    return error;
}

oserr folder_make_all(const char *path)
{
    oserr error = folder_make(path);
    if (system_meaning(error) == MEANS_EXISTS)
        return 0;
    if (error != ERROR_PATH_NOT_FOUND)
        return error;
    char *above = path_parent(path);
    error = *above && strlen(above) < strlen(path) ? folder_make_all(above) : ERROR_PATH_NOT_FOUND;
    memory_free(above);
    return error ? error : folder_make(path);
}

static bool is_passing(DWORD error)
{
    return error == ERROR_ACCESS_DENIED || error == ERROR_SHARING_VIOLATION;
}

static bool is_folder(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* An empty folder gives way, as it does elsewhere; a file does not. */
static oserr rename_wide(const wchar_t *from, const wchar_t *to)
{
    for (int tries = 0;; tries++) {
        if (MoveFileExW(from, to, 0))
            return 0;
        DWORD error = GetLastError();
        if (is_folder(to)) {
            if (RemoveDirectoryW(to) && MoveFileExW(from, to, 0))
                return 0;
            return is_folder(to) ? ERROR_ALREADY_EXISTS : last_error();
        }
        if (!is_passing(error) || tries == TRIES)
            return (oserr)error;
        Sleep(PAUSE);
    }
}

oserr file_rename(const char *from, const char *to)
{
    wchar_t *wide_from = wide_path(from), *wide_to = wide_path(to);
    oserr error = rename_wide(wide_from, wide_to);
    memory_free(wide_to);
    memory_free(wide_from);
    return error;
}

/* What is found in a folder, one after the other. */
struct listing {
    HANDLE search;
    WIN32_FIND_DATAW found;
};

static oserr list_next(struct listing *listing, bool first)
{
    while (first || FindNextFileW(listing->search, &listing->found)) {
        first = false;
        if (wcscmp(listing->found.cFileName, L".") != 0 && wcscmp(listing->found.cFileName, L"..") != 0)
            return 0;
    }
    return last_error();
}

static oserr list_open(const char *path, struct listing *listing)
{
    char *all = path_join(path, "*", NULL);
    wchar_t *wide = wide_path(all);
    listing->search = FindFirstFileW(wide, &listing->found);
    oserr error = listing->search == INVALID_HANDLE_VALUE ? last_error() : 0;
    memory_free(wide);
    memory_free(all);
    return error ? error : list_next(listing, true);
}

static void list_close(struct listing *listing)
{
    if (listing->search != INVALID_HANDLE_VALUE)
        FindClose(listing->search);
}

oserr folder_list(const char *path, struct text *names)
{
    struct listing listing;
    oserr error = list_open(path, &listing);
    for (; !error; error = list_next(&listing, false)) {
        char *name = narrow_text(listing.found.cFileName);
        text_add_bytes(names, name, strlen(name) + 1);
        memory_free(name);
    }
    list_close(&listing);
    return error == ERROR_NO_MORE_FILES ? 0 : error;
}

static oserr remove_one(const wchar_t *path, DWORD attributes)
{
    if (attributes & FILE_ATTRIBUTE_READONLY)
        SetFileAttributesW(path, attributes & ~(DWORD)FILE_ATTRIBUTE_READONLY);
    for (int tries = 0;; tries++) {
        if (attributes & FILE_ATTRIBUTE_DIRECTORY ? RemoveDirectoryW(path) : DeleteFileW(path))
            return 0;
        DWORD error = GetLastError();
        if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND)
            return 0;
        if (error != ERROR_SHARING_VIOLATION || tries == TRIES)
            return (oserr)error;
        Sleep(PAUSE);
    }
}

static oserr empty_folder(const char *path)
{
    struct listing listing;
    oserr first = 0, error = list_open(path, &listing);
    for (; !error; error = list_next(&listing, false)) {
        char *name = narrow_path(listing.found.cFileName);
        char *whole = path_join(path, name, NULL);
        oserr failed = folder_remove(whole);
        if (failed && !first)
            first = failed;
        memory_free(whole);
        memory_free(name);
    }
    list_close(&listing);
    return first;
}

oserr folder_remove(const char *path)
{
    wchar_t *wide = wide_path(path);
    DWORD attributes = GetFileAttributesW(wide);
    oserr error = attributes == INVALID_FILE_ATTRIBUTES ? last_error() : 0, inner = 0;
    if (!error) {
        /* a reparse point goes as it is: what it leads to is not ours */
        if ((attributes & FILE_ATTRIBUTE_DIRECTORY) && !(attributes & FILE_ATTRIBUTE_REPARSE_POINT))
            inner = empty_folder(path);
        error = remove_one(wide, attributes);
    }
    memory_free(wide);
    return system_meaning(error) == MEANS_MISSING ? 0 : error && inner ? inner : error;
}
