/* SPDX-License-Identifier: MIT */
/* system.h for Windows: files and locks. Handles are never inherited, and none keeps others from renaming or removing. */
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

#include <winternl.h>

#define SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define LOCKED_FROM 0x40000000 /* in units of 4 GiB: a lock hides what it covers from readers, so it lies behind everything */
#define PART ((size_t)1 << 30)
#define WITHOUT_WAITING 2 /* FLUSH_FLAGS_NO_SYNC */

static HANDLE to_system(handle file)
{
    return (HANDLE)file; // NOLINT: a handle is a number
}

static enum file_kind kind_of(DWORD attributes)
{
    return attributes & FILE_ATTRIBUTE_DIRECTORY ? KIND_FOLDER : attributes & FILE_ATTRIBUTE_DEVICE ? KIND_OTHER : KIND_FILE;
}

/* Is it a symbolic link or a junction? Other reparse points (files that a cloud keeps) are what they look like. */
static bool is_link(const wchar_t *path)
{
    WIN32_FIND_DATAW answer;
    HANDLE search = FindFirstFileW(path, &answer);
    if (search == INVALID_HANDLE_VALUE)
        return false;
    FindClose(search);
    return (answer.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) && IsReparseTagNameSurrogate(answer.dwReserved0);
}

static oserr look_through(const wchar_t *path, struct file_info *info)
{
    BY_HANDLE_FILE_INFORMATION answer;
    HANDLE file = CreateFileW(path, 0, SHARED, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    oserr error = file == INVALID_HANDLE_VALUE || !GetFileInformationByHandle(file, &answer) ? last_error() : 0;
    if (!error) {
        info->kind = kind_of(answer.dwFileAttributes);
        info->size = (uint64_t)answer.nFileSizeHigh << 32 | answer.nFileSizeLow;
    }
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    return error;
}

bool system_runs_scripts(void)
{
    return false;
}

bool system_has_modes(void)
{
    return false;
}

/* In seconds; Windows counts in units of 100 ns. */
static int64_t seconds_since(FILETIME then)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    int64_t from = (int64_t)((uint64_t)then.dwHighDateTime << 32 | then.dwLowDateTime);
    return ((int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime) - from) / 10000000;
}

oserr file_stat(const char *path, bool follow, struct file_info *info)
{
    WIN32_FILE_ATTRIBUTE_DATA answer;
    wchar_t *wide = wide_path(path);
    *info = (struct file_info){0};
    oserr error = GetFileAttributesExW(wide, GetFileExInfoStandard, &answer) ? 0 : last_error();
    if (!error) {
        info->kind = kind_of(answer.dwFileAttributes);
        info->size = (uint64_t)answer.nFileSizeHigh << 32 | answer.nFileSizeLow;
        info->age = seconds_since(answer.ftLastWriteTime);
        if ((answer.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) && is_link(wide)) {
            info->kind = KIND_LINK;
            error = follow ? look_through(wide, info) : 0;
        }
    }
    if (system_classify(error) == CLASS_MISSING && error) {
        info->kind = KIND_NONE;
        error = 0;
    }
    memory_free(wide);
    return error;
}

/*
 * The number of a standard handle that was closed before us may be given out again, and what is written to standard error would
 * then get into this file. A duplicate has another number while the first one is still in use.
 */
static HANDLE clear_of_standard(HANDLE file)
{
    static const DWORD standard[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    HANDLE other, self = GetCurrentProcess();
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
        if (file != GetStdHandle(standard[i]) || !DuplicateHandle(self, file, self, &other, 0, FALSE, DUPLICATE_SAME_ACCESS))
            continue;
        other = clear_of_standard(other); /* there are three numbers: it ends */
        CloseHandle(file);
        return other;
    }
    return file;
}

static oserr open_with(const char *path, DWORD access, DWORD how, DWORD attributes, handle *file)
{
    wchar_t *wide = wide_path(path);
    HANDLE opened = CreateFileW(wide, access, SHARED, NULL, how, attributes, NULL);
    oserr error = opened == INVALID_HANDLE_VALUE ? last_error() : 0;
    memory_free(wide);
    *file = error ? NO_HANDLE : (handle)clear_of_standard(opened);
    return error;
}

static oserr open_as(const char *path, DWORD access, DWORD how, handle *file)
{
    return open_with(path, access, how, FILE_ATTRIBUTE_NORMAL, file);
}

oserr file_open(const char *path, handle *file)
{
    return open_as(path, GENERIC_READ, OPEN_EXISTING, file);
}

oserr file_create(const char *path, bool lasting, handle *file)
{
    return open_with(path, GENERIC_WRITE, CREATE_NEW, lasting ? FILE_ATTRIBUTE_READONLY : FILE_ATTRIBUTE_NORMAL, file);
}

oserr lock_open(const char *path, handle *lock)
{
    return open_as(path, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS, lock);
}

oserr file_read(handle file, void *bytes, size_t size, uint64_t offset, size_t *got)
{
    for (*got = 0; *got < size;) {
        OVERLAPPED place = {0};
        DWORD part = 0, wanted = (DWORD)(size - *got < PART ? size - *got : PART);
        place.Offset = (DWORD)(offset + *got);
        place.OffsetHigh = (DWORD)((offset + *got) >> 32);
        if (!ReadFile(to_system(file), (char *)bytes + *got, wanted, &part, &place) && GetLastError() != ERROR_HANDLE_EOF)
            return last_error();
        if (part == 0)
            break;
        *got += part;
    }
    return 0;
}

oserr file_close(handle file)
{
    return file != NO_HANDLE && !CloseHandle(to_system(file)) ? last_error() : 0;
}

/*
 * What was written goes on its way to the disk; whether it is there folder_sync waits for, once for all files. Where the system
 * cannot part the two, each file waits for itself.
 */
oserr tree_close_file(handle file)
{
    union {
        FARPROC answer;
        NTSTATUS(NTAPI *flush)(HANDLE file, ULONG flags, void *parameters, ULONG size, IO_STATUS_BLOCK *status);
    } nt = {.answer = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtFlushBuffersFileEx")};
    IO_STATUS_BLOCK status = {0};
    oserr error = 0;
    if (!nt.answer || nt.flush(to_system(file), WITHOUT_WAITING, NULL, 0, &status) != 0)
        error = FlushFileBuffers(to_system(file)) ? 0 : last_error();
    oserr late = file_close(file);
    return error ? error : late;
}

oserr tree_write(handle file, const void *bytes, size_t size)
{
    for (const char *at = bytes; size;) {
        DWORD done = 0;
        if (!WriteFile(to_system(file), at, (DWORD)(size < PART ? size : PART), &done, NULL))
            return last_error();
        if (done == 0)
            return ERROR_DISK_FULL;
        at += done;
        size -= done;
    }
    return 0;
}

oserr file_write(const char *path, const void *bytes, size_t size)
{
    handle file;
    oserr error = file_create(path, false, &file);
    if (error)
        return error;
    error = tree_write(file, bytes, size);
    oserr late = tree_close_file(file);
    return error ? error : late;
}

oserr file_link(const char *path, const char *target)
{
    (void)path, (void)target;
    return ERROR_NOT_SUPPORTED; /* links need a right that users do not have */
}

char system_list_separator(void)
{
    return ';';
}

oserr file_hardlink(const char *path, const char *original)
{
    wchar_t *wide = wide_path(path), *wide_original = wide_path(original);
    oserr error = CreateHardLinkW(wide, wide_original, NULL) ? 0 : last_error();
    memory_free(wide_original);
    memory_free(wide);
    return error;
}

oserr file_read_link(const char *path, struct text *target)
{
    (void)path, (void)target;
    return ERROR_NOT_SUPPORTED;
}

oserr lock_try(handle file, bool shared)
{
    OVERLAPPED place = {0};
    DWORD how = LOCKFILE_FAIL_IMMEDIATELY | (shared ? 0 : LOCKFILE_EXCLUSIVE_LOCK);
    place.OffsetHigh = LOCKED_FROM;
    return LockFileEx(to_system(file), how, 0, 1, 0, &place) ? 0 : last_error();
}

bool file_is_unlinked(handle file, int64_t *unused)
{
    FILE_STANDARD_INFO info;
    FILETIME written;
    if (unused)
        *unused = GetFileTime(to_system(file), NULL, NULL, &written) ? seconds_since(written) : 0;
    return !GetFileInformationByHandleEx(to_system(file), FileStandardInfo, &info, sizeof info) || info.DeletePending ||
           info.NumberOfLinks == 0;
}

void lock_touch(handle lock)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    SetFileTime(to_system(lock), NULL, NULL, &now);
}

void file_touch(const char *path)
{
    handle file;
    FILETIME now;
    if (open_as(path, FILE_WRITE_ATTRIBUTES, OPEN_EXISTING, &file) != 0)
        return;
    GetSystemTimeAsFileTime(&now);
    SetFileTime(to_system(file), NULL, NULL, &now);
    file_close(file);
}

int lock_pass_on(handle file)
{
    (void)file;
    return -1; /* Python runs in this process, and so the handle stays open as long as it does */
}
