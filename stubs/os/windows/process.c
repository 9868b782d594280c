/* SPDX-License-Identifier: MIT */
/* system.h for Windows: where the program begins, errors, the process itself and its threads. */
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

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

static DWORD ask_variable(wchar_t *buffer, DWORD room, const void *name)
{
    return GetEnvironmentVariableW(name, buffer, room);
}

const char *system_variable(const char *name)
{
    wchar_t *wide = wide_text(name), *value = wide_answer(ask_variable, wide);
    char *text = value ? narrow_text(value) : NULL; /* an empty one is as good as none */
    memory_free(value);
    memory_free(wide);
    return text;
}

uint64_t system_clock(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    uint64_t whole = (uint64_t)(now.QuadPart / frequency.QuadPart), rest = (uint64_t)(now.QuadPart % frequency.QuadPart);
    return whole * 1000000000U + rest * 1000000000U / (uint64_t)frequency.QuadPart;
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

const char *system_programs(void)
{
    return "Scripts";
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

bool system_has_origin(void)
{
    return true;
}

bool system_is_privileged(void)
{
    return false; /* no file gives rights here */
}

bool system_pass_rights(bool all)
{
    (void)all;
    return false;
}

bool system_copies_launcher(void)
{
    return true;
}

oserr system_exec(const char *path, char *const *words, const struct changes *changes)
{
    (void)path, (void)words, (void)changes;
    return ERROR_NOT_SUPPORTED; /* no process can turn into another one here: Python is loaded instead */
}

bool system_version(const char *part, handle self, unsigned *major, unsigned *minor)
{
    (void)part, (void)self, (void)major, (void)minor;
    return false;
}

void system_visit_processes(void (*see)(void *argument, const char *program, const char *words), void *argument)
{
    (void)see, (void)argument; /* no folder can be moved while a file in it is in use */
}
