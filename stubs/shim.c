/* SPDX-License-Identifier: MIT */
/*
 * A launcher without a bundle that stands as apps/<id>/bin/<name> (in Scripts on Windows) is the interpreter that a program's
 * children see (sys.executable). It starts Python itself, or through a loader, or as a library; hides from it the variables that
 * would lead it to another runtime, and holds the lock that says that the program is in use.
 * What to start is told by apps/<id>/shim, lines of `key=value` with absolute paths, made together with pyvenv.cfg.
 */
#include "shim.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/commands.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "exit_codes.h"

#define APPS "apps"
#define ID_LENGTH 32
#define SHIM_MOST (UINT64_C(1) << 16)

struct shim {
    char *bytes; /* all strings point into it */
    char *mode, *python, *libpython, *loader, *libraries, *interpreter, *link, *main, *origin, *id;
};

size_t shim_loader_words(char **words, char *loader, char *libraries, char *name, char *python)
{
    static char preload[] = "--preload", nothing[] = "", library_path[] = "--library-path", argv0[] = "--argv0";
    char *all[SHIM_LOADER_WORDS] = {loader, preload, nothing, library_path, libraries, argv0, name, python};
    memcpy(words, all, sizeof all);
    return SHIM_LOADER_WORDS;
}

/* The folder apps/<id> above an interpreter in it; NULL where the path is another one. */
static char *find_app_folder(const char *path)
{
    static const char digits[] = "0123456789abcdef";
    char *programs = path_parent(path), *app = path_parent(programs), *apps = path_parent(app);
    const char *id = path_name(app);
    bool fine = strcmp(path_name(programs), system_programs()) == 0 && strcmp(path_name(apps), APPS) == 0 &&
                strlen(id) == ID_LENGTH && strspn(id, digits) == ID_LENGTH;
    memory_free(apps);
    memory_free(programs);
    if (fine)
        return app;
    memory_free(app);
    return NULL;
}

static char *find_description(const struct launcher *launcher)
{
    char *folder = find_app_folder(text_of(&launcher->path));
    char *path = folder ? path_join(folder, APP_SHIM, NULL) : NULL;
    memory_free(folder);
    return path;
}

bool shim_is_one(const struct launcher *launcher)
{
    struct file_info info;
    char *path = find_description(launcher);
    bool found = path && file_stat(path, false, &info) == 0 && info.kind == KIND_FILE;
    memory_free(path);
    return found;
}

static int report_unusable(struct launcher *launcher, const char *path, const char *why)
{
    return fault_set(&launcher->fault, EXIT_NO_START,
                     "remove the folder that this file is in, and start the program itself again",
                     "a part of the program cannot be started, %s cannot be used: %s", path, why);
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
        char **member;
    } keys[] = {{"python", &shim->python},
                {"libpython", &shim->libpython},
                {"interpreter", &shim->interpreter},
                {"loader", &shim->loader},
                {"link", &shim->link},
                {"main", &shim->main},
                {"origin", &shim->origin},
                {"libraries", &shim->libraries}};
    char *value = strchr(line, '=');
    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(line, "launch") == 0)
        shim->mode = value;
    if (strcmp(line, "id") == 0)
        shim->id = value;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(line, keys[i].key) != 0)
            continue;
        *keys[i].member = value;
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
    if (strcmp(shim->mode, "exec") == 0)
        return shim->link ? NULL : "it names no link";
    return "it wants a kind of start that this launcher does not know";
}

/* Whether Python finds a virtual environment by this path of its executable. */
static bool has_settings(const char *path)
{
    struct file_info info;
    char *folder = path_parent(path), *above = path_parent(folder);
    char *beside = path_join(folder, APP_SETTINGS, NULL), *one_up = path_join(above, APP_SETTINGS, NULL);
    bool found = (file_stat(beside, true, &info) == 0 && info.kind == KIND_FILE) ||
                 (file_stat(one_up, true, &info) == 0 && info.kind == KIND_FILE);
    memory_free(one_up);
    memory_free(beside);
    memory_free(above);
    memory_free(folder);
    return found;
}

/*
 * What Python takes as its own path: the word that we were started by, or where PATH found that, if a virtual environment goes
 * with it; else the file that we are, whose pyvenv.cfg leads to the runtime.
 */
static const char *choose_name(const struct launcher *launcher)
{
    struct file_info info;
    const char *called = launcher->called;
    bool leads = strchr(called, '/') && file_stat(called, true, &info) == 0 && info.kind == KIND_FILE;
    return leads && has_settings(called) ? called : text_of(&launcher->path);
}

/*
 * Programs that start themselves anew by the words of their own process have the words of a main program here: a file of the
 * app layer, the bundle, a lock's number, an id, and what the bundle was called. Then the bundle is what is meant.
 */
static oserr start_bundle(const struct launcher *launcher, const struct shim *shim)
{
    static const char *const nothing[] = {NULL};
    static char *const no_variables[] = {NULL};
    static const handle none[] = {NO_HANDLE};
    const struct changes unchanged = {nothing, nothing, no_variables, false, none};
    char **words = launcher->words + 1;
    size_t size = shim->main ? strlen(shim->main) : 0, count = 0;
    while (words[0] && words[0][0] == '-' && words[0][1] == 'O')
        words++;
    while (count < 5 && words[count])
        count++;
    if (system_embeds_only() || !size || count < 5 || strncmp(words[0], shim->main, size) != 0 || words[0][size] != '/' ||
        !is_absolute(words[1]) || !shim->id || strcmp(words[3], shim->id) != 0)
        return 0;
    return system_exec(words[1], words + 4, &unchanged);
}

char *shim_origin(const char *python)
{
    if (system_has_origin())
        return NULL;
    struct text variable = {0};
    char *folder = path_parent(python);
    text_format(&variable, "LD_ORIGIN_PATH=%s", folder);
    memory_free(folder);
    return variable.data;
}

/* Say that the program is in use, for as long as Python runs. Whoever removes it holds the lock for a moment: then it goes. */
static void hold_app(struct launcher *launcher, const char *folder)
{
    char *settings = path_join(folder, APP_SETTINGS, NULL);
    if (file_open(settings, &launcher->app_lock) == 0 && lock_try(launcher->app_lock, true) == 0)
        lock_pass_on(launcher->app_lock);
    memory_free(settings);
}

static oserr start_python(struct launcher *launcher, const struct shim *shim)
{
    static const char *const nothing[] = {NULL}, *const hidden[] = {SHIM_HIDDEN, NULL};
    static const char *const path_too[] = {SHIM_HIDDEN, "PYTHONPATH", NULL};
    const char *outer = system_variable(SHIM_OUTER), *given_path = system_variable("PYTHONPATH");
    bool is_outer = outer && given_path && strcmp(outer, given_path) == 0; /* else the program has set it for this child */
    size_t given = 0, count = 0;
    while (launcher->words[given])
        given++;
    char **words = memory(given + SHIM_LOADER_WORDS + 3, sizeof *words);
    char *folder = find_app_folder(text_of(&launcher->path));
    char *script_file = shim->interpreter ? command_script(folder, path_name(text_of(&launcher->path))) : NULL;
    char *name = system_native_path(script_file ? shim->interpreter : choose_name(launcher));
    char *script = script_file ? system_native_path(script_file) : NULL;
    bool through_loader = strcmp(shim->mode, "loader") == 0, embedded = strcmp(shim->mode, "embed") == 0;
    if (through_loader)
        count = shim_loader_words(words, shim->loader, shim->libraries, name, shim->python);
    else
        words[count++] = name;
    if (script)
        words[count++] = script;
    for (size_t i = 1; i < given; i++)
        words[count++] = launcher->words[i];
    char *added[] = {shim->origin ? shim_origin(shim->origin) : NULL, NULL};
    const handle closed[] = {launcher->file, NO_HANDLE};
    const struct changes changes = {nothing, is_outer ? path_too : hidden, added, false, closed};
    hold_app(launcher, folder);
    oserr error = embedded ? system_embed(shim->libpython, words, &changes, false)
                           : system_exec(through_loader ? words[0] : shim->link, words, &changes);
    memory_free(added[0]);
    memory_free(script);
    memory_free(name);
    memory_free(script_file);
    memory_free(folder);
    memory_free(words);
    return error;
}

int shim_start(struct launcher *launcher)
{
    struct shim shim = {0};
    size_t size = 0;
    char *path = find_description(launcher);
    oserr error = read_whole(path, &shim.bytes, &size);
    const char *why = error ? system_text(error) : parse(size, &shim);
    oserr refused = why ? 0 : start_bundle(launcher, &shim);
    if (!why)
        why = system_text(refused ? refused : start_python(launcher, &shim));
    int code = report_unusable(launcher, path, why);
    memory_free(shim.bytes);
    memory_free(path);
    return code;
}
