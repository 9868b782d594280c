/* SPDX-License-Identifier: MIT */
/* system.h for Windows: where the program begins, errors, the process itself and its threads. */
#include <string.h>
#include <wchar.h>

#include "windows_body.h"

int _dowildcard = 0; /* of the C library's start code: words are not compared with file names, as in python.exe */
int main(int argc, char **argv);
int wmain(int argc, wchar_t **argv);

int wmain(int argc, wchar_t **argv)
{
    /* The folder of a downloaded file is no place to look for libraries: the system's own, and those that are added.
     * This counts for this process alone, unlike SetDllDirectoryW, which its children take over. */
    SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32 | LOAD_LIBRARY_SEARCH_USER_DIRS);
    char **words = memory((size_t)argc + 1, sizeof *words);
    for (int i = 0; i < argc; i++)
        words[i] = narrow_text(argv[i]);
    return main(argc, words);
}

enum meaning system_meaning(oserr error)
{
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return MEANS_MISSING;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
    case ERROR_DIR_NOT_EMPTY:
        return MEANS_EXISTS;
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
        return MEANS_BUSY;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_NOT_SUPPORTED:
        return MEANS_NO_SUCH;
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
        return MEANS_NO_PLACE;
    default:
        return MEANS_OTHER;
    }
}

const char *system_text(oserr error)
{
    wchar_t *told = NULL;
    DWORD size = FormatMessageW(
        FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD)error, 0,
        (wchar_t *)(void *)&told, 0, NULL);
    while (size && wcschr(L"\r\n. ", told[size - 1]))
        told[--size] = L'\0';
    struct text number = {0};
    text_format(&number, "error %d", error);
    char *made = size ? narrow_text(told) : number.data; /* not freed: a process has few of them to tell */
    LocalFree(told);
    return made;
}

static DWORD ask_variable(wchar_t *buffer, DWORD room, const void *name)
{
    return GetEnvironmentVariableW(name, buffer, room);
}

const char *system_variable(const char *name)
{
    wchar_t *wide = wide_text(name), *value = wide_answer(ask_variable, wide);
    char *made = value ? narrow_text(value) : NULL; /* an empty one is as good as none */
    memory_free(value);
    memory_free(wide);
    return made;
}

uint64_t system_clock(void)
{
    LARGE_INTEGER now, each;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&each);
    uint64_t whole = (uint64_t)(now.QuadPart / each.QuadPart), rest = (uint64_t)(now.QuadPart % each.QuadPart);
    return whole * 1000000000U + rest * 1000000000U / (uint64_t)each.QuadPart;
}

void system_sleep(unsigned milliseconds)
{
    Sleep(milliseconds);
}

unsigned system_cores(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors ? (unsigned)info.dwNumberOfProcessors : 1;
}

unsigned long system_process(void)
{
    return GetCurrentProcessId();
}

bool system_has_sha256(void)
{
    const DWORD crypto = 30; /* PF_ARM_V8_CRYPTO_INSTRUCTIONS_AVAILABLE; only asked on AArch64 */
    return IsProcessorFeaturePresent(crypto) != 0;
}

static DWORD ask_self(wchar_t *buffer, DWORD room, const void *nothing)
{
    (void)nothing;
    return GetModuleFileNameW(NULL, buffer, room);
}

bool system_self(unsigned way, struct text *path, handle *file, uint64_t *size, oserr *error)
{
    if (way > 0)
        return false;
    wchar_t *wide = wide_answer(ask_self, NULL);
    if (!wide) {
        *error = last_error();
        return true;
    }
    char *name = narrow_path(wide);
    text_clear(path);
    text_add(path, name);
    memory_free(name);
    memory_free(wide);
    LARGE_INTEGER found;
    *error = file_open(path->data, file);
    if (!*error && !GetFileSizeEx((HANDLE)*file, &found)) // NOLINT: a handle is a number
        *error = last_error();
    *size = *error ? 0 : (uint64_t)found.QuadPart;
    return true;
}

const char *system_called_as(const char *argv0)
{
    wchar_t *wide = strpbrk(argv0, "/\\:") ? NULL : wide_answer(ask_self, NULL);
    const char *called = wide ? narrow_text(wide) : argv0;
    memory_free(wide);
    return called;
}

const char *system_suffix(void)
{
    return ".exe";
}

struct call {
    void (*work)(void *);
    void *argument;
};

static DWORD WINAPI call_work(void *given)
{
    const struct call *call = given;
    call->work(call->argument);
    return 0;
}

void system_parallel(unsigned count, void (*work)(void *), void *argument)
{
    struct call call = {work, argument};
    HANDLE *threads = memory(count, sizeof *threads);
    unsigned started = 0;
    while (started + 1 < count && (threads[started] = CreateThread(NULL, 0, call_work, &call, 0, NULL)) != NULL)
        started++;
    work(argument);
    while (started) {
        WaitForSingleObject(threads[--started], INFINITE);
        CloseHandle(threads[started]);
    }
    memory_free(threads);
}

bool system_tells_origin(void)
{
    return true;
}

oserr system_become(const char *path, char *const *words, const char *const *forget, char *extra)
{
    (void)path, (void)words, (void)forget, (void)extra;
    return ERROR_NOT_SUPPORTED; /* no process can turn into another one here: Python is loaded instead */
}

bool system_version(const char *part, handle self, unsigned *major, unsigned *minor)
{
    (void)part, (void)self, (void)major, (void)minor;
    return false;
}

void system_processes(void (*see)(void *argument, const char *program, const char *words), void *argument)
{
    (void)see, (void)argument; /* no folder can be moved while a file in it is in use */
}
