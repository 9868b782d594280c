/* SPDX-License-Identifier: MIT */
/* system.h for Windows: standard output and error, which may be a console, a file, a pipe, or not there at all. */
#include <wchar.h>

#include "windows_body.h"

static DWORD mode_before;
static bool mode_changed;

static bool is_handle(HANDLE file)
{
    return file && file != INVALID_HANDLE_VALUE;
}

/* To a console as UTF-16, whatever code page it has; to anything else as it is. False if nobody listens. */
static bool put(DWORD which, const char *bytes, size_t size)
{
    HANDLE file = GetStdHandle(which);
    DWORD mode, done = 0;
    if (!is_handle(file))
        return false;
    if (GetConsoleMode(file, &mode)) {
        char *text = text_copy(bytes, size);
        wchar_t *wide = wide_text(text);
        bool written = WriteConsoleW(file, wide, (DWORD)wcslen(wide), &done, NULL) != 0;
        memory_free(wide);
        memory_free(text);
        return written;
    }
    for (; size; bytes += done, size -= done)
        if (!WriteFile(file, bytes, size < MAXLONG ? (DWORD)size : MAXLONG, &done, NULL) || done == 0)
            return false;
    return true;
}

void system_say(const char *bytes, size_t size)
{
    put(STD_ERROR_HANDLE, bytes, size);
}

void system_print(const char *bytes, size_t size)
{
    put(STD_OUTPUT_HANDLE, bytes, size);
}

bool system_is_terminal(void)
{
    const DWORD escapes = 4; /* ENABLE_VIRTUAL_TERMINAL_PROCESSING */
    DWORD mode;
    HANDLE file = GetStdHandle(STD_ERROR_HANDLE);
    if (!is_handle(file) || !GetConsoleMode(file, &mode))
        return false;
    if (mode & escapes)
        return true;
    if (!SetConsoleMode(file, mode | escapes))
        return false;
    mode_before = mode;
    mode_changed = true;
    return true;
}

void console_restore(void)
{
    if (mode_changed)
        SetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), mode_before);
    mode_changed = false;
}

static bool is_windowed(void)
{
    const char *image = (const char *)GetModuleHandleW(NULL);
    const IMAGE_DOS_HEADER *dos = (const void *)image;
    const IMAGE_NT_HEADERS *headers = (const void *)(image + dos->e_lfanew);
    return headers->OptionalHeader.Subsystem == IMAGE_SUBSYSTEM_WINDOWS_GUI;
}

/* A program without a console has no other way of telling; the window's library is loaded for that alone. */
static void show(const char *bytes, size_t size)
{
    HMODULE library = LoadLibraryExW(L"user32.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    int(WINAPI * box)(HWND, const wchar_t *, const wchar_t *, UINT) = NULL;
    if (library)
        box = (int(WINAPI *)(HWND, const wchar_t *, const wchar_t *, UINT))(void (*)(void))GetProcAddress(library,
                                                                                                        "MessageBoxW");
    if (!box)
        return;
    char *text = text_copy(bytes, size);
    wchar_t *wide = wide_text(text);
    box(NULL, wide, L"pypack", MB_OK | MB_ICONERROR | MB_SETFOREGROUND);
    memory_free(wide);
    memory_free(text);
}

void system_alarm(const char *bytes, size_t size)
{
    if (!put(STD_ERROR_HANDLE, bytes, size) && is_windowed())
        show(bytes, size);
}
