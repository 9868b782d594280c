/* SPDX-License-Identifier: MIT */
/* system.h for Windows: standard output and error, which may be a console, a file, a pipe, or not there at all. */
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

#define ESCAPES 4 /* ENABLE_VIRTUAL_TERMINAL_PROCESSING */

static bool is_handle(HANDLE file)
{
    return file && file != INVALID_HANDLE_VALUE;
}

/* A console reads escapes only while it is told to; whoever uses it next finds it as it was. One that cannot shows nothing. */
static bool write_console(HANDLE console, DWORD mode, const char *bytes, size_t size)
{
    bool switched = memchr(bytes, '\033', size) && !(mode & ESCAPES);
    DWORD done = 0;
    if (switched && !SetConsoleMode(console, mode | ESCAPES))
        return true;
    char *text = text_copy(bytes, size);
    wchar_t *wide = wide_text(text);
    bool written = WriteConsoleW(console, wide, (DWORD)wcslen(wide), &done, NULL) != 0;
    if (switched)
        SetConsoleMode(console, mode);
    memory_free(wide);
    memory_free(text);
    return written;
}

/* To a console as UTF-16, whatever code page it has; to anything else as it is. False if nobody listens. */
static bool write_all(DWORD which, const char *bytes, size_t size)
{
    HANDLE file = GetStdHandle(which);
    DWORD mode, done = 0;
    if (!is_handle(file))
        return false;
    if (GetConsoleMode(file, &mode))
        return write_console(file, mode, bytes, size);
    for (; size; bytes += done, size -= done)
        if (!WriteFile(file, bytes, size < MAXLONG ? (DWORD)size : MAXLONG, &done, NULL) || done == 0)
            return false;
    return true;
}

void system_write_error(const char *bytes, size_t size)
{
    write_all(STD_ERROR_HANDLE, bytes, size);
}

void system_write_output(const char *bytes, size_t size)
{
    write_all(STD_OUTPUT_HANDLE, bytes, size);
}

bool system_is_terminal(void)
{
    DWORD mode;
    HANDLE file = GetStdHandle(STD_ERROR_HANDLE);
    return is_handle(file) && GetConsoleMode(file, &mode);
}

static bool is_windowed(void)
{
    const char *image = (const char *)GetModuleHandleW(NULL);
    const IMAGE_DOS_HEADER *dos = (const void *)image;
    const IMAGE_NT_HEADERS *headers = (const void *)(image + dos->e_lfanew);
    return headers->OptionalHeader.Subsystem == IMAGE_SUBSYSTEM_WINDOWS_GUI;
}

typedef void any_function(void);
typedef int WINAPI box_function(HWND, const wchar_t *, const wchar_t *, UINT);
typedef HWINSTA WINAPI station_function(void);
typedef BOOL WINAPI object_function(HANDLE, int, void *, DWORD, DWORD *);

static any_function *find(HMODULE library, const char *name)
{
    return library ? (any_function *)(void *)(uintptr_t)GetProcAddress(library, name) : NULL; // NOLINT: a function
}

/* Services and scheduled tasks run where no window is ever seen, and nobody could close one. */
static bool is_seen(HMODULE library)
{
    station_function *station = (station_function *)find(library, "GetProcessWindowStation");
    object_function *ask = (object_function *)find(library, "GetUserObjectInformationW");
    USEROBJECTFLAGS flags = {0};
    return station && ask && ask(station(), UOI_FLAGS, &flags, sizeof flags, NULL) && (flags.dwFlags & WSF_VISIBLE);
}

/* A program without a console has no other way of telling; the window's library is loaded for that alone. */
static void show(const char *bytes, size_t size)
{
    HMODULE library = LoadLibraryExW(L"user32.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    box_function *box = (box_function *)find(library, "MessageBoxW");
    if (!box || !is_seen(library))
        return;
    char *text = text_copy(bytes, size);
    wchar_t *wide = wide_text(text);
    wchar_t *copy = wide_text(text), *end = wcsstr(copy, L": "); /* the program's name, or its path, stands in front */
    if (end)
        *end = L'\0';
    const wchar_t *folder = wcsrchr(copy, L'\\'), *title = folder ? folder + 1 : copy;
    box(NULL, wide, title, MB_OK | MB_ICONERROR | MB_SETFOREGROUND);
    memory_free(copy);
    memory_free(wide);
    memory_free(text);
}

void system_show_error(const char *bytes, size_t size)
{
    if (!write_all(STD_ERROR_HANDLE, bytes, size) && is_windowed())
        show(bytes, size);
}
