/* SPDX-License-Identifier: MIT */
/* system.h for Windows: which folders may be the cache, and which of them can be trusted. */
#include <string.h>
#include <wchar.h>

#include "windows_body.h"
#include "windows_rights.h"

/* Behind "layers/<id>/" stand paths of Python's library and of packages; a longer root is given without a length limit. */
#define LONG_ROOT 110

static void add(struct place **places, size_t *count, struct place place)
{
    *places = memory_grown(*places, *count + 1, sizeof **places);
    (*places)[(*count)++] = place;
}

static DWORD ask_full(wchar_t *buffer, DWORD room, const void *path)
{
    return GetFullPathNameW(path, room, buffer, NULL);
}

/* The absolute form of a path, with "/"; NULL where there is none. */
static char *absolute(const wchar_t *path)
{
    wchar_t *whole = wide_answer(ask_full, path);
    char *made = whole ? narrow_path(whole) : NULL;
    memory_free(whole);
    size_t size = made ? strlen(made) : 0;
    while (size > 3 && made[size - 1] == '/')
        made[--size] = '\0';
    return made;
}

static bool is_long(const char *path)
{
    return strlen(path) > LONG_ROOT;
}

/* With the prefix that lifts the limit of a path's length. */
static char *unlimited(char *path)
{
    struct text made = {0};
    if (strncmp(path, "//?/", 4) == 0)
        return path;
    text_add(&made, path[0] == '/' ? "//?/UNC" : "//?/");
    text_add(&made, path[0] == '/' ? path + 1 : path);
    memory_free(path);
    return made.data;
}

/* Python adds to the paths that it is given: where they are long they get the prefix, and so does what they begin with. */
static struct place place_below(char *base, const char *name, const char *origin, bool shared_above)
{
    char *path = path_join(base, name, NULL);
    if (is_long(path)) {
        path = unlimited(path);
        base = unlimited(base);
    }
    return (struct place){base, path, origin, shared_above};
}

static DWORD ask_variable(wchar_t *buffer, DWORD room, const void *name)
{
    return GetEnvironmentVariableW(name, buffer, room);
}

static char *from_variable(const wchar_t *name)
{
    wchar_t *value = wide_answer(ask_variable, name);
    char *path = value ? absolute(value) : NULL;
    memory_free(value);
    return path;
}

static bool is_slash(wchar_t character)
{
    return character == L'/' || character == L'\\';
}

/* As from_variable(), but a path that depends on the working folder is as good as none. */
static char *from_absolute(const wchar_t *name)
{
    wchar_t *value = wide_answer(ask_variable, name);
    bool whole = value && ((is_slash(value[0]) && is_slash(value[1])) ||
                           (value[0] && value[1] == L':' && is_slash(value[2])));
    char *path = whole ? absolute(value) : NULL;
    memory_free(value);
    return path;
}

/* The folder that the system's user profile names; its library is loaded only where the variable is missing. */
static char *from_profile(void)
{
    static const GUID local = {0xF1B32785, 0x6FBA, 0x4FCF, {0x9D, 0x55, 0x7B, 0x8E, 0x7F, 0x15, 0x70, 0x91}};
    HMODULE library = LoadLibraryExW(L"shell32.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    HRESULT(WINAPI * ask)(const GUID *, DWORD, HANDLE, wchar_t **) = NULL;
    wchar_t *path = NULL;
    if (library)
        ask = (HRESULT(WINAPI *)(const GUID *, DWORD, HANDLE, wchar_t **))(void (*)(void))GetProcAddress(
            library, "SHGetKnownFolderPath");
    char *made = ask && ask(&local, 0, NULL, &path) == S_OK ? absolute(path) : NULL;
    return made; /* the system's own block is not freed: that needs one more library */
}

static void add_user_cache(struct place **places, size_t *count)
{
    const char *origin = "LOCALAPPDATA";
    char *base = from_absolute(L"LOCALAPPDATA");
    if (!base) {
        base = from_profile();
        origin = "the user's profile";
    }
    if (base)
        add(places, count, place_below(base, "pypack", origin, false));
}

/* In the system's order; what it takes where neither is set (the user's own folder, its own) is no place for a cache. */
static char *temporary_folder(void)
{
    char *path = from_absolute(L"TMP");
    return path ? path : from_absolute(L"TEMP");
}

size_t place_list(struct place **places)
{
    size_t count = 0;
    *places = NULL;
    char *named = from_variable(L"PYPACK_CACHE_DIR");
    if (named)
        add(places, &count,
            (struct place){text_copy("", 0), is_long(named) ? unlimited(named) : named, "PYPACK_CACHE_DIR", false});
    add_user_cache(places, &count);
    char *base = temporary_folder();
    if (base) {
        struct text name = {0};
        text_format(&name, "pypack-%lu", rights_user_number());
        add(places, &count, place_below(base, name.data, "the temporary folder", true));
        text_free(&name);
    }
    return count;
}

static enum place_state unfit(struct text *why, const char *text)
{
    text_clear(why);
    text_add(why, text);
    return PLACE_UNFIT;
}

/* What fills these folders is started: they may be older than the rights of the folder that they are in. */
static const char *unfit_inside(const char *path)
{
    static const char *const inner[] = {"layers", "apps"};
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        char *folder = path_join(path, inner[i], NULL);
        wchar_t *wide = wide_path(folder);
        struct rights rights = rights_of(wide);
        memory_free(wide);
        memory_free(folder);
        if (rights.error)
            continue; /* not there yet, or not to be read: then it fails by itself */
        if (rights.open_to_others)
            return "others can write to a folder in it (layers, apps)";
        if (rights.owner == OWNER_OTHER)
            return "a folder in it (layers, apps) belongs to another user";
    }
    return NULL;
}

enum place_state place_look(const struct place *place, struct text *why)
{
    struct file_info info;
    oserr error = file_look(place->path, !place->shared_above, &info);
    if (error)
        return unfit(why, system_text(error));
    if (info.kind == KIND_NONE)
        return PLACE_MISSING;
    if (info.kind != KIND_FOLDER)
        return unfit(why, info.kind == KIND_LINK ? "it is a link" : "it is not a folder");
    wchar_t *wide = wide_path(place->path);
    struct rights rights = rights_of(wide);
    bool can_write = !rights.error && rights_can_write(wide);
    memory_free(wide);
    if (rights.error)
        return unfit(why, system_text(rights.error));
    if (rights.open_to_others)
        return unfit(why, "others can write to it (its permissions name more than you, the system and administrators)");
    if (rights.owner == OWNER_OTHER)
        return unfit(why, "it belongs to another user");
    const char *inside = unfit_inside(place->path);
    if (inside)
        return unfit(why, inside);
    if (can_write)
        return PLACE_READY;
    return rights.owner == OWNER_SYSTEM ? PLACE_READ_ONLY : unfit(why, "it cannot be written to");
}

/* Make the folder and those between it and the base, for this user alone. */
static oserr make_private(const char *base, const char *path)
{
    wchar_t *wide = wide_path(path);
    oserr error = rights_make_folder(wide);
    memory_free(wide);
    if (system_meaning(error) == MEANS_EXISTS)
        return 0;
    if (error != ERROR_PATH_NOT_FOUND)
        return error;
    char *above = path_parent(path);
    bool below = *above && strlen(above) < strlen(path) && strlen(above) > strlen(base);
    error = below ? make_private(base, above) : ERROR_PATH_NOT_FOUND;
    memory_free(above);
    return error ? error : make_private(path, path);
}

enum place_state place_make(const struct place *place, struct text *why)
{
    oserr error = make_private(place->base, place->path);
    return error ? unfit(why, system_text(error)) : place_look(place, why);
}

bool place_is_common(const struct place *place)
{
    return strcmp(place->origin, "PYPACK_CACHE_DIR") == 0; /* whose use by others leaves no trace */
}

unsigned place_modes(unsigned without)
{
    (void)without; /* new files take their rights from the folder above */
    return 0;
}
