/* SPDX-License-Identifier: MIT */
/* system.h for Windows: which folders may be the cache, and which of them can be trusted. */
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"
#include "os/windows/rights.h"

/* Behind "layers/<id>/" stand paths of Python's library and of packages; a longer root is given without a length limit. */
#define LONG_ROOT 110

static void add_root(struct cache_root **roots, size_t *count, struct cache_root root)
{
    *roots = memory_grown(*roots, *count + 1, sizeof **roots);
    (*roots)[(*count)++] = root;
}

static DWORD ask_full(wchar_t *buffer, DWORD room, const void *path)
{
    return GetFullPathNameW(path, room, buffer, NULL);
}

/* The absolute form of a path, with "/"; NULL where there is none. */
static char *make_absolute(const wchar_t *path)
{
    wchar_t *whole = wide_answer(ask_full, path);
    char *result = whole ? narrow_path(whole) : NULL;
    memory_free(whole);
    size_t size = result ? strlen(result) : 0;
    while (size > 3 && result[size - 1] == '/')
        result[--size] = '\0';
    return result;
}

static bool is_long(const char *path)
{
    return strlen(path) > LONG_ROOT;
}

/* With the prefix that lifts the limit of a path's length. */
static char *lift_limit(char *path)
{
    struct text result = {0};
    if (strncmp(path, "//?/", 4) == 0)
        return path;
    text_add(&result, path[0] == '/' ? "//?/UNC" : "//?/");
    text_add(&result, path[0] == '/' ? path + 1 : path);
    memory_free(path);
    return result.data;
}

/* Python adds to the paths that it is given: where they are long they get the prefix, and so does what they begin with. */
static struct cache_root make_root(char *base, const char *name, const char *origin, bool shared_above)
{
    char *path = path_join(base, name, NULL);
    if (is_long(path)) {
        path = lift_limit(path);
        base = lift_limit(base);
    }
    return (struct cache_root){base, path, origin, shared_above};
}

static DWORD ask_variable(wchar_t *buffer, DWORD room, const void *name)
{
    return GetEnvironmentVariableW(name, buffer, room);
}

static char *path_from_variable(const wchar_t *name)
{
    wchar_t *value = wide_answer(ask_variable, name);
    char *path = value ? make_absolute(value) : NULL;
    memory_free(value);
    return path;
}

static bool is_slash(wchar_t character)
{
    return character == L'/' || character == L'\\';
}

/* As from_variable(), but a path that depends on the working folder is as good as none. */
static char *path_from_absolute(const wchar_t *name)
{
    wchar_t *value = wide_answer(ask_variable, name);
    bool whole = value && ((is_slash(value[0]) && is_slash(value[1])) ||
                           (value[0] && value[1] == L':' && is_slash(value[2])));
    char *path = whole ? make_absolute(value) : NULL;
    memory_free(value);
    return path;
}

/* The folder that the system's user profile names; its library is loaded only where the variable is missing. */
static char *path_from_profile(void)
{
    static const GUID local = {0xF1B32785, 0x6FBA, 0x4FCF, {0x9D, 0x55, 0x7B, 0x8E, 0x7F, 0x15, 0x70, 0x91}};
    HMODULE library = LoadLibraryExW(L"shell32.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    HRESULT(WINAPI * ask)(const GUID *, DWORD, HANDLE, wchar_t **) = NULL;
    wchar_t *path = NULL;
    if (library)
        ask = (HRESULT(WINAPI *)(const GUID *, DWORD, HANDLE, wchar_t **))(void (*)(void))GetProcAddress(
            library, "SHGetKnownFolderPath");
    char *result = ask && ask(&local, 0, NULL, &path) == S_OK ? make_absolute(path) : NULL;
    return result; /* the system's own block is not freed: that needs one more library */
}

static void add_user_cache(struct cache_root **roots, size_t *count)
{
    const char *origin = "LOCALAPPDATA";
    char *base = path_from_absolute(L"LOCALAPPDATA");
    if (!base) {
        base = path_from_profile();
        origin = "the user's profile";
    }
    if (base)
        add_root(roots, count, make_root(base, "pypack", origin, false));
}

/* In the system's order; what it takes where neither is set (the user's own folder, its own) is no folder for a cache. */
static char *find_temporary_folder(void)
{
    char *path = path_from_absolute(L"TMP");
    return path ? path : path_from_absolute(L"TEMP");
}

size_t root_list(struct cache_root **roots)
{
    size_t count = 0;
    *roots = NULL;
    char *named = path_from_variable(L"PYPACK_CACHE_DIR");
    if (named)
        add_root(roots, &count,
            (struct cache_root){text_copy("", 0), is_long(named) ? lift_limit(named) : named, "PYPACK_CACHE_DIR", false});
    add_user_cache(roots, &count);
    char *base = find_temporary_folder();
    if (base) {
        struct text name = {0};
        text_format(&name, "pypack-%lu", rights_user_number());
        add_root(roots, &count, make_root(base, name.data, "the temporary folder", true));
        text_free(&name);
    }
    return count;
}

static enum root_state reject(struct text *why, const char *text)
{
    text_clear(why);
    text_add(why, text);
    return ROOT_UNFIT;
}

static struct rights find_rights(const char *path)
{
    wchar_t *wide = wide_path(path);
    struct rights rights = rights_of(wide);
    memory_free(wide);
    return rights;
}

/* What fills these folders is started: they may be older than the rights of the folder that they are in. */
static const char *find_unfit_folder(const char *path)
{
    static const char *const inner[] = {"layers", "apps", "tmp"};
    const char *unfit = NULL;
    for (size_t i = 0; i < sizeof inner / sizeof *inner && !unfit; i++) {
        struct file_info info;
        char *folder = path_join(path, inner[i], NULL);
        bool there = file_stat(folder, false, &info) == 0 && info.kind != KIND_NONE;
        struct rights rights = there ? find_rights(folder) : (struct rights){0};
        memory_free(folder);
        if (!there || rights.error)
            continue; /* not there yet, or not to be read: then it fails by itself */
        if (info.kind != KIND_FOLDER)
            unfit = "a folder in it (layers, apps, tmp) is a link or a file";
        else if (rights.open_to_others)
            unfit = "others can write to a folder in it (layers, apps, tmp)";
        else if (rights.owner == OWNER_OTHER)
            unfit = "a folder in it (layers, apps, tmp) belongs to another user";
    }
    return unfit;
}

bool folder_is_trusted(const char *path)
{
    struct file_info info;
    if (file_stat(path, false, &info) != 0 || info.kind != KIND_FOLDER)
        return false;
    struct rights rights = find_rights(path);
    return !rights.error && rights.owner != OWNER_OTHER && !rights.open_to_others;
}

/*
 * Whoever owns a folder above can put another one into its place, and everybody may make folders in "C:/". What an owner's
 * rights leave to others there is not looked at: those of disks' first folders are wide by default.
 */
static bool is_below_foreign_folder(const char *path)
{
    bool unfit = false;
    for (char *above = path_parent(path), *next; !unfit; above = next) {
        struct rights rights = find_rights(above);
        unfit = !rights.error && rights.owner == OWNER_OTHER;
        next = path_parent(above);
        bool end = strlen(next) >= strlen(above) || !strchr(next, '/');
        memory_free(above);
        if (end || unfit) {
            memory_free(next);
            break;
        }
    }
    return unfit;
}

enum root_state root_inspect(struct cache_root *root, struct text *why)
{
    struct file_info info;
    oserr error = file_stat(root->path, !root->shared_above, &info);
    if (error)
        return reject(why, system_text(error));
    if (info.kind == KIND_NONE)
        return ROOT_MISSING;
    if (info.kind != KIND_FOLDER)
        return reject(why, info.kind == KIND_LINK ? "it is a link" : "it is not a folder");
    wchar_t *wide = wide_path(root->path);
    struct rights rights = rights_of(wide);
    if (!rights.error && is_below_foreign_folder(root->path)) {
        memory_free(wide);
        return reject(why, "a folder above it belongs to another user, who could replace it");
    }
    bool can_write = !rights.error && rights_can_write(wide);
    memory_free(wide);
    if (rights.error)
        return reject(why, system_text(rights.error));
    if (rights.open_to_others)
        return reject(why, "others can write to it (its permissions name more than you, the system and administrators)");
    if (rights.owner == OWNER_OTHER)
        return reject(why, "it belongs to another user");
    const char *inside = find_unfit_folder(root->path);
    if (inside)
        return reject(why, inside);
    if (can_write)
        return ROOT_READY;
    return rights.owner == OWNER_SYSTEM ? ROOT_READ_ONLY : reject(why, "it cannot be written to");
}

/* Make the folder and those between it and the base, for this user alone. */
static oserr make_private(const char *base, const char *path)
{
    wchar_t *wide = wide_path(path);
    oserr error = rights_make_folder(wide);
    memory_free(wide);
    if (system_classify(error) == CLASS_EXISTS)
        return 0;
    if (error != ERROR_PATH_NOT_FOUND)
        return error;
    char *above = path_parent(path);
    bool below = *above && strlen(above) < strlen(path) && strlen(above) > strlen(base);
    error = below ? make_private(base, above) : ERROR_PATH_NOT_FOUND;
    memory_free(above);
    return error ? error : make_private(path, path);
}

enum root_state root_make(struct cache_root *root, struct text *why)
{
    oserr error = make_private(root->base, root->path);
    return error ? reject(why, system_text(error)) : root_inspect(root, why);
}

void root_close(void)
{
}

bool root_is_privileged(const struct cache_root *root)
{
    (void)root;
    return false;
}

bool root_is_shared(const struct cache_root *root)
{
    return strcmp(root->origin, "PYPACK_CACHE_DIR") == 0; /* whose use by others leaves no trace */
}

unsigned system_mask_modes(unsigned without)
{
    (void)without; /* new files take their rights from the folder above */
    return 0;
}
