/* SPDX-License-Identifier: MIT */
/* system.h for Windows: Python's library in this very process. Its main function is part of the stable interface. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

typedef void any_function(void);
typedef int main_function(int count, wchar_t **words);
typedef const char *version_function(void);
typedef void home_function(const wchar_t *home);

static any_function *find(HMODULE library, const char *name)
{
    return (any_function *)(void *)(uintptr_t)GetProcAddress(library, name); // NOLINT: what it answers is a function
}

/* In the environment of the process and in the C library's copy of it, which Python reads; NULL removes it. */
static void set_variable(const wchar_t *name, const wchar_t *value)
{
    _wputenv_s(name, value ? value : L"");
    SetEnvironmentVariableW(name, value);
}

static void forget_variable(const char *name)
{
    wchar_t *wide = wide_text(name);
    set_variable(wide, NULL);
    memory_free(wide);
}

static void hide_variable(const char *name)
{
    struct text other = {0};
    text_format(&other, "%s%s", HIDDEN, name);
    wchar_t *wide = wide_text(name), *hidden = wide_text(other.data);
    const wchar_t *value = _wgetenv(wide);
    if (value) {
        wchar_t *kept = _wcsdup(value);
        if (kept)
            set_variable(hidden, kept);
        free(kept);
        set_variable(wide, NULL);
    }
    memory_free(hidden);
    memory_free(wide);
    text_free(&other);
}

/* "NAME=value", unless there is one of that name. */
static void add_variable(const char *added)
{
    size_t size = strcspn(added, "=");
    char *name = text_copy(added, size);
    wchar_t *wide = wide_text(name), *value = wide_text(added + size + 1);
    if (!_wgetenv(wide))
        set_variable(wide, value);
    memory_free(value);
    memory_free(wide);
    memory_free(name);
}

static void change_environment(const struct changes *changes)
{
    for (const char *const *name = changes->forgotten; *name; name++)
        forget_variable(*name);
    for (const char *const *name = changes->hidden; *name; name++)
        hide_variable(*name);
    for (char *const *added = changes->added; *added; added++)
        add_variable(*added);
}

/*
 * Python before 3.11 does not look for its home next to its library, and pyvenv.cfg of an app names the app's own folder.
 * Nor does it take sys.executable from its first word, but from a variable that it takes away again; else children would be
 * bundles.
 */
static bool is_old(HMODULE python)
{
    version_function *ask = (version_function *)find(python, "Py_GetVersion");
    const char *version = ask ? ask() : "";
    return strncmp(version, "3.", 2) == 0 && atoi(version + 2) < 11;
}

/*
 * With a home given, Python looks for no `._pth` file, which could otherwise stand beside a downloaded program and say what it
 * imports. An interpreter (PYPACK_INTERPRETER, the program's children) does without: there pyvenv.cfg shall count.
 */
static void set_home(HMODULE python, const wchar_t *library)
{
    home_function *set = (home_function *)find(python, "Py_SetPythonHome");
    wchar_t *home = _wcsdup(library); /* never freed: Python may keep it */
    wchar_t *end = home ? wcsrchr(home, L'\\') : NULL;
    if (!set || !end)
        return;
    *end = L'\0';
    set(home);
}

bool system_embeds(void)
{
    return true;
}

bool system_embeds_only(void)
{
    return true;
}

/*
 * What CPython brings beside its library (vcruntime140_1.dll, which many wheels import) is for all: python.exe stands there, and
 * so its loader looks there. The system may refuse the prefix that lifts a path's limit.
 */
static void share_folder(const wchar_t *library)
{
    wchar_t *folder = _wcsdup(library);
    wchar_t *end = folder ? wcsrchr(folder, L'\\') : NULL;
    if (end)
        *end = L'\0';
    if (end && !AddDllDirectory(folder) && wcsncmp(folder, L"\\\\?\\", 4) == 0) {
        bool shared = wcsncmp(folder + 4, L"UNC\\", 4) == 0;
        if (shared)
            folder[6] = L'\\';
        AddDllDirectory(folder + (shared ? 6 : 4));
    }
    free(folder);
}

oserr system_embed(const char *library, char *const *words, const struct changes *changes, bool program)
{
    char *native = system_native_path(library); /* not wide_path(): what is loaded here ends up in sys.prefix */
    wchar_t *wide = wide_text(native);
    HMODULE python = LoadLibraryExW(wide, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!python)
        return last_error();
    main_function *start = (main_function *)find(python, "Py_Main");
    if (!start)
        return ERROR_PROC_NOT_FOUND;
    int count = 0;
    while (words[count])
        count++;
    wchar_t **given = memory((size_t)count + 1, sizeof *given);
    for (int i = 0; i < count; i++)
        given[i] = wide_text(words[i]);
    change_environment(changes);
    for (const handle *file = changes->closed; *file != NO_HANDLE; file++)
        file_close(*file);
    if (program || is_old(python))
        set_home(python, wide);
    if (is_old(python))
        _wputenv_s(L"__PYVENV_LAUNCHER__", given[0]);
    share_folder(wide);
    SetUnhandledExceptionFilter(NULL); /* a crash is told as python.exe tells it, not by our C library's start code */
    exit(start(count, given));
}
