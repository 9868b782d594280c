/* SPDX-License-Identifier: MIT */
/* system.h for Windows: folders. Nothing here goes through a link or a junction. */
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

/* What a virus scanner or an indexer has just opened is in the way for a moment. Milliseconds: */
#define PATIENCE 10000 /* for one renaming, or for the removal of one tree */
#define FIRST_PAUSE 10 /* each is twice the one before */
#define LONGEST_PAUSE 500

bool system_renames_open(void)
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
    if (system_classify(error) == CLASS_EXISTS)
        return 0;
    if (error != ERROR_PATH_NOT_FOUND)
        return error;
    char *above = path_parent(path);
    error = *above && strlen(above) < strlen(path) ? folder_make_all(above) : ERROR_PATH_NOT_FOUND;
    memory_free(above);
    if (!error)
        error = folder_make(path);
    return system_classify(error) == CLASS_EXISTS ? 0 : error; /* another thread or process was faster */
}

struct patience {
    DWORD left;
    DWORD pause;
};

static bool is_temporary(DWORD error)
{
    return error == ERROR_ACCESS_DENIED || error == ERROR_SHARING_VIOLATION;
}

/* False if there was enough waiting. */
static bool wait_for_others(struct patience *patience)
{
    DWORD pause = patience->pause < patience->left ? patience->pause : patience->left;
    Sleep(pause);
    patience->left -= pause;
    patience->pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
    return pause != 0;
}

static bool is_folder(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* An empty folder gives way, as it does elsewhere; a file does not. */
static oserr rename_wide(const wchar_t *from, const wchar_t *to)
{
    struct patience patience = {PATIENCE, FIRST_PAUSE};
    for (bool removed = false;;) {
        if (MoveFileExW(from, to, 0))
            return 0;
        DWORD error = GetLastError();
        if (is_folder(to)) {
            DWORD why = RemoveDirectoryW(to) ? 0 : GetLastError();
            if (why == 0 && !removed) {
                removed = true;
                continue;
            }
            if (why && !is_temporary(why) && system_classify((oserr)why) != CLASS_MISSING)
                return ERROR_ALREADY_EXISTS;
            error = ERROR_ALREADY_EXISTS; /* it gives way slowly, or somebody makes it again and again */
        } else if (!is_temporary(error)) {
            return (oserr)error;
        }
        if (!wait_for_others(&patience))
            return (oserr)error;
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

oserr file_exchange(const char *one, const char *other)
{
    (void)one, (void)other;
    return ERROR_NOT_SUPPORTED;
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

oserr folder_list_some(const char *path, struct text *names, size_t most, bool *cut)
{
    struct listing listing;
    oserr error = list_open(path, &listing);
    *cut = false;
    for (; !error && !*cut; error = list_next(&listing, false)) {
        *cut = most-- == 0;
        if (*cut)
            break;
        char *name = narrow_text(listing.found.cFileName);
        text_add_bytes(names, name, strlen(name) + 1);
        memory_free(name);
    }
    list_close(&listing);
    return error == ERROR_NO_MORE_FILES ? 0 : error;
}

oserr folder_list(const char *path, struct text *names)
{
    bool cut;
    return folder_list_some(path, names, SIZE_MAX, &cut);
}

/* The attribute of a folder stops nobody here: that of its files does. */
void folder_writable(const char *path, bool writable)
{
    (void)path, (void)writable;
}

void folder_seal(const char *path)
{
    (void)path;
}

void folder_mark_removal(const char *path)
{
    (void)path; /* each folder can be renamed */
}

/*
 * The files were sent off one by one (tree_close_file): now the disk itself is asked for them, and for what it notes of the
 * folder.
 */
oserr folder_sync(const char *path)
{
    DWORD shared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    wchar_t *wide = wide_path(path);
    HANDLE folder = CreateFileW(wide, GENERIC_WRITE, shared, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    memory_free(wide);
    if (folder == INVALID_HANDLE_VALUE)
        return 0; /* not every file system lets itself be asked */
    DWORD error = FlushFileBuffers(folder) ? 0 : GetLastError();
    CloseHandle(folder);
    return error == ERROR_DISK_FULL || error == ERROR_IO_DEVICE ? (oserr)error : 0;
}

/* A folder is not empty for as long as somebody has a removed file in it open; `emptied`: nothing else can be in it. */
static oserr remove_one(const wchar_t *path, DWORD attributes, bool emptied, struct patience *patience)
{
    patience->pause = FIRST_PAUSE;
    if (attributes & FILE_ATTRIBUTE_READONLY)
        SetFileAttributesW(path, attributes & ~(DWORD)FILE_ATTRIBUTE_READONLY);
    for (;;) {
        if (attributes & FILE_ATTRIBUTE_DIRECTORY ? RemoveDirectoryW(path) : DeleteFileW(path))
            return 0;
        DWORD error = GetLastError();
        if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND)
            return 0;
        if (!is_temporary(error) && !(emptied && error == ERROR_DIR_NOT_EMPTY))
            return (oserr)error;
        if (!wait_for_others(patience))
            return (oserr)error;
    }
}

static oserr remove_tree(const char *path, struct patience *patience);

static oserr empty_folder(const char *path, struct patience *patience)
{
    struct listing listing;
    oserr first = 0, error = list_open(path, &listing);
    for (; !error; error = list_next(&listing, false)) {
        char *name = narrow_path(listing.found.cFileName);
        char *whole = path_join(path, name, NULL);
        oserr failed = remove_tree(whole, patience);
        if (failed && !first)
            first = failed;
        memory_free(whole);
        memory_free(name);
    }
    list_close(&listing);
    return first;
}

static oserr remove_tree(const char *path, struct patience *patience)
{
    wchar_t *wide = wide_path(path);
    DWORD attributes = GetFileAttributesW(wide);
    oserr error = attributes == INVALID_FILE_ATTRIBUTES ? last_error() : 0, inner = 0;
    if (!error) {
        /* a reparse point goes as it is: what it leads to is not ours */
        if ((attributes & FILE_ATTRIBUTE_DIRECTORY) && !(attributes & FILE_ATTRIBUTE_REPARSE_POINT))
            inner = empty_folder(path, patience);
        error = remove_one(wide, attributes, !inner, patience);
    }
    memory_free(wide);
    return system_classify(error) == CLASS_MISSING ? 0 : error && inner ? inner : error;
}

oserr folder_remove(const char *path)
{
    struct patience patience = {PATIENCE, FIRST_PAUSE};
    return remove_tree(path, &patience);
}
