/* SPDX-License-Identifier: MIT */
/*
 * A launcher without a bundle that stands as apps/<id>/bin/<name> is the interpreter that a program's children see
 * (sys.executable), where a link to Python would not do: Python is started through a loader of its own, or is a library.
 * What to start is told by apps/<id>/shim, lines of `key=value` with absolute paths, made together with pyvenv.cfg.
 */
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"

#define BIN "bin"
#define APPS "apps"
#define ID_LENGTH 32
#define SHIM_MOST (UINT64_C(1) << 16)

struct shim {
    char *bytes; /* all strings point into it */
    char *mode, *python, *libpython, *loader, *libraries, *interpreter;
};

bool shim_is_needed(const struct launcher *launcher)
{
    const struct launch *launch = &launcher->bundle.launch;
    return launch->loader || (strcmp(launch->mode, "embed") == 0 && system_embeds_only());
}

static void add_path(struct text *lines, const char *key, char *path)
{
    text_format(lines, "%s=%s\n", key, path);
    memory_free(path);
}

void shim_describe(const struct launcher *launcher, struct text *lines)
{
    const struct launch *launch = &launcher->bundle.launch;
    bool through_loader = launch->loader != NULL;
    text_format(lines, "launch=%s\n", through_loader ? "loader" : launch->mode);
    add_path(lines, "python", layer_path(launcher, LAYER_RUNTIME, launch->python));
    add_path(lines, "interpreter", app_python(launcher));
    if (launch->libpython)
        add_path(lines, "libpython", layer_path(launcher, LAYER_RUNTIME, launch->libpython));
    if (through_loader) {
        add_path(lines, "loader", app_loader(launcher));
        add_path(lines, "libraries", app_libraries(launcher));
    }
}

size_t shim_loader_words(char **words, char *loader, char *libraries, char *name, char *python)
{
    static char preload[] = "--preload", nothing[] = "", library_path[] = "--library-path", argv0[] = "--argv0";
    char *all[SHIM_LOADER_WORDS] = {loader, preload, nothing, library_path, libraries, argv0, name, python};
    memcpy(words, all, sizeof all);
    return SHIM_LOADER_WORDS;
}

/* The folder apps/<id> above .../apps/<id>/bin/<name>; NULL where the path is another one. */
static char *app_folder(const char *path)
{
    static const char digits[] = "0123456789abcdef";
    char *bin = path_parent(path), *app = path_parent(bin), *apps = path_parent(app);
    const char *id = path_name(app);
    bool fine = strcmp(path_name(bin), BIN) == 0 && strcmp(path_name(apps), APPS) == 0 && strlen(id) == ID_LENGTH &&
                strspn(id, digits) == ID_LENGTH;
    memory_free(apps);
    memory_free(bin);
    if (fine)
        return app;
    memory_free(app);
    return NULL;
}

static char *shim_path(const struct launcher *launcher)
{
    char *folder = app_folder(text_of(&launcher->path));
    char *path = folder ? path_join(folder, SHIM_FILE, NULL) : NULL;
    memory_free(folder);
    return path;
}

bool shim_is_one(const struct launcher *launcher)
{
    struct file_info info;
    char *path = shim_path(launcher);
    bool found = path && file_look(path, false, &info) == 0 && info.kind == KIND_FILE;
    memory_free(path);
    return found;
}

static int unusable(struct launcher *launcher, const char *path, const char *why)
{
    return fault_set(&launcher->fault, EXIT_NO_START,
                     "remove the folder that this file is in, and start the program itself again",
                     "the program's interpreter cannot be started, %s cannot be used: %s", path, why);
}

static oserr read_whole(const char *path, char **bytes, size_t *size)
{
    handle file;
    oserr error = file_open(path, &file);
    if (error)
        return error;
    *bytes = memory(SHIM_MOST + 1, 1);
    error = file_read(file, *bytes, SHIM_MOST, 0, size);
    file_close(file);
    return error;
}

static bool is_absolute(const char *path)
{
    return path[0] == '/' || (path[0] && path[1] == ':' && path[2] == '/');
}

static bool take_line(char *line, struct shim *shim)
{
    const struct {
        const char *key;
        char **place;
    } keys[] = {{"python", &shim->python},
                {"libpython", &shim->libpython},
                {"interpreter", &shim->interpreter},
                {"loader", &shim->loader},
                {"libraries", &shim->libraries}};
    char *value = strchr(line, '=');
    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(line, "launch") == 0)
        shim->mode = value;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(line, keys[i].key) != 0)
            continue;
        *keys[i].place = value;
        return is_absolute(value);
    }
    return true;
}

/* Why the lines cannot be used, or NULL. */
static const char *parse(size_t size, struct shim *shim)
{
    if (size == 0 || size == SHIM_MOST || shim->bytes[size - 1] != '\n' || memchr(shim->bytes, 0, size))
        return "it is not whole";
    for (char *line = shim->bytes, *end = line + size; line < end;) {
        char *next = strchr(line, '\n');
        *next++ = '\0';
        if (!take_line(line, shim))
            return "a line in it is senseless";
        line = next;
    }
    if (!shim->mode || !shim->python)
        return "it does not say what to start";
    if (strcmp(shim->mode, "loader") == 0)
        return shim->loader && shim->libraries ? NULL : "it names no loader";
    if (strcmp(shim->mode, "embed") == 0)
        return shim->libpython ? NULL : "it names no library";
    return "it wants a kind of start that this launcher does not know";
}

/*
 * What Python takes as its own path: the word that we were started by, or where PATH found that, if it leads somewhere; like
 * Python itself it does not go through links, so that a pyvenv.cfg beside one counts.
 */
static const char *own_name(const struct launcher *launcher)
{
    struct file_info info;
    const char *called = launcher->called;
    bool leads = strchr(called, '/') && file_look(called, true, &info) == 0 && info.kind == KIND_FILE;
    return leads ? called : text_of(&launcher->path);
}

static oserr become(const struct launcher *launcher, const struct shim *shim)
{
    static const char *const forget_nothing[] = {NULL};
    size_t given = 0, count = 0;
    while (launcher->words[given])
        given++;
    char **words = memory(given + SHIM_LOADER_WORDS + 3, sizeof *words);
    char *folder = app_folder(text_of(&launcher->path));
    char *found = shim->interpreter ? command_script(folder, path_name(text_of(&launcher->path))) : NULL;
    char *name = system_native(found ? shim->interpreter : own_name(launcher)), *script = found ? system_native(found) : NULL;
    bool through_loader = strcmp(shim->mode, "loader") == 0;
    if (through_loader)
        count = shim_loader_words(words, shim->loader, shim->libraries, name, shim->python);
    else
        words[count++] = name;
    if (script)
        words[count++] = script;
    for (size_t i = 1; i < given; i++)
        words[count++] = launcher->words[i];
    oserr error = through_loader ? system_become(words[0], words, forget_nothing, NULL)
                                 : system_embed(shim->libpython, words, forget_nothing, false);
    memory_free(script);
    memory_free(name);
    memory_free(found);
    memory_free(folder);
    memory_free(words);
    return error;
}

int shim_start(struct launcher *launcher)
{
    struct shim shim = {0};
    size_t size = 0;
    char *path = shim_path(launcher);
    oserr error = read_whole(path, &shim.bytes, &size);
    const char *why = error ? system_text(error) : parse(size, &shim);
    if (!why)
        why = system_text(become(launcher, &shim));
    int code = unusable(launcher, path, why);
    memory_free(shim.bytes);
    memory_free(path);
    return code;
}
