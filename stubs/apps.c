/* SPDX-License-Identifier: MIT */
/*
 * apps/<id>/: the interpreter under the program's name, in the shape of a virtual environment. CPython's site takes the folder
 * above the executable's as the environment, so the link stands in bin/. pyvenv.cfg is also the file that running
 * programs hold a shared lock on. All this is made before the layers, so that whoever removes layers sees that they are wanted.
 */
#include <stdlib.h>
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"

#define SETTINGS "pyvenv.cfg"
#define CLEANER_PAUSE 20 /* milliseconds */
#define CLEANER_TRIES 500
#define STAMP_EVERY 3600 /* seconds: the time of last use, to the hour */

char *app_path(const struct launcher *launcher, const char *inside)
{
    char *folder = cache_path(launcher, "apps", launcher->bundle.id);
    char *path = path_join(folder, inside, NULL);
    memory_free(folder);
    return path;
}

/*
 * CPython's getpath takes `home` as it is, so it must be absolute: a cache that was moved gets a new file. A libpython finds its
 * library by itself; `home` is then where sys._base_executable stands, which multiprocessing starts on Windows.
 */
static void settings_of(const struct launcher *launcher, struct text *settings)
{
    bool embedded = strcmp(launcher->bundle.launch.mode, "embed") == 0 && system_embeds_only();
    char *python = embedded ? app_python(launcher)
                            : layer_path(launcher, LAYER_RUNTIME, launcher->bundle.launch.python);
    char *folder = path_parent(python), *home = system_native(folder);
    text_format(settings, "home = %s\ninclude-system-site-packages = false\npypack-layers =", home);
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++)
        text_format(settings, " %s", launcher->bundle.layers[i].folder);
    text_add(settings, "\npypack-sizes ="); /* unpacked, for whoever has to know what removing them is worth */
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++)
        text_format(settings, " %llu", (unsigned long long)launcher->bundle.layers[i].unpacked);
    text_add(settings, "\n");
    memory_free(home);
    memory_free(folder);
    memory_free(python);
}

static bool settings_hold(const struct launcher *launcher, handle file)
{
    struct text wanted = {0};
    settings_of(launcher, &wanted);
    char *found = memory(wanted.size, 1);
    size_t got;
    bool same = file_read(file, found, wanted.size, 0, &got) == 0 && got == wanted.size &&
                memcmp(found, wanted.data, got) == 0;
    memory_free(found);
    text_free(&wanted);
    if (!same)
        return false;
    return interpreter_stands(launcher);
}

/* Open and lock what stands there. A cleaner holds it for a moment only, then it is gone. */
static bool hold(struct launcher *launcher)
{
    char *path = app_path(launcher, SETTINGS);
    bool held = false;
    int64_t unused = 0;
    for (unsigned tries = 0; tries < CLEANER_TRIES && !held; tries++) {
        if (file_open(path, &launcher->app_lock) != 0)
            break;
        oserr error = lock_try(launcher->app_lock, true);
        held = !(error && system_meaning(error) == MEANS_BUSY) && !file_is_gone(launcher->app_lock, &unused);
        if (held && settings_hold(launcher, launcher->app_lock))
            break;
        app_release(launcher);
        if (held) { /* stale: to be made anew */
            held = false;
            break;
        }
        system_sleep(CLEANER_PAUSE);
    }
    if (held && !launcher->read_only && (unused < 0 || unused > STAMP_EVERY))
        file_stamp(path);
    memory_free(path);
    return held;
}

void app_release(struct launcher *launcher)
{
    file_close(launcher->app_lock);
    launcher->app_lock = NO_HANDLE;
}

bool app_is_there(const struct launcher *launcher)
{
    handle file;
    char *path = app_path(launcher, SETTINGS);
    bool there = file_open(path, &file) == 0;
    memory_free(path);
    if (!there)
        return false;
    there = settings_hold(launcher, file);
    file_close(file);
    return there;
}

/* One line for each folder of sys.path, from the .pth's own folder, and those that the bundle gives as they are. */
static void path_lines(const struct launcher *launcher, struct text *lines)
{
    const struct launch *launch = &launcher->bundle.launch;
    for (size_t i = 0; i < launch->path_count; i++) {
        const struct layer *layer = bundle_layer(&launcher->bundle, launch->paths[i].kind);
        if (!layer)
            continue;
        text_add(lines, "../../");
        for (const char *at = launch->site; at; at = strchr(at + 1, '/'))
            text_add(lines, "../");
        text_format(lines, "layers/%s%s%s\n", layer->folder, *launch->paths[i].path ? "/" : "", launch->paths[i].path);
    }
    for (size_t i = 0; i < launch->pth_count; i++)
        text_format(lines, "%s\n", launch->pth[i]);
}

static oserr write_site(const struct launcher *launcher, const char *draft)
{
    if (!launcher->bundle.launch.site)
        return 0;
    struct text lines = {0};
    path_lines(launcher, &lines);
    char *site = path_join(draft, launcher->bundle.launch.site, NULL);
    char *file = path_join(site, "pypack.pth", NULL);
    oserr error = folder_make_all(site);
    if (!error)
        error = file_write(file, text_of(&lines), lines.size);
    memory_free(file);
    memory_free(site);
    text_free(&lines);
    return error;
}

static oserr fill_draft(const struct launcher *launcher, const char *draft)
{
    struct text settings = {0};
    settings_of(launcher, &settings);
    char *file = path_join(draft, SETTINGS, NULL);
    oserr error = file_write(file, settings.data, settings.size);
    if (!error)
        error = interpreter_write(launcher, draft);
    if (!error)
        error = write_site(launcher, draft);
    if (!error)
        error = commands_write(launcher, draft);
    memory_free(file);
    text_free(&settings);
    return error;
}

/* "2.17" as two numbers; what does not begin like that is 0. */
static void read_version(const char *text, unsigned *major, unsigned *minor)
{
    char *rest;
    *major = (unsigned)strtoul(text, &rest, 10);
    *minor = *rest == '.' ? (unsigned)strtoul(rest + 1, NULL, 10) : 0;
}

/* What the launch block asks of the system against what there is. What cannot be found out is left to the start itself. */
static int check_system(struct launcher *launcher)
{
    const struct {
        const char *part, *needed, *name, *remedy;
    } parts[] = {
        {"glibc", launcher->bundle.launch.glibc, "glibc", "use a newer system, or build the program for linux-musl"},
        {"macos", launcher->bundle.launch.macos, "macOS", "use a newer macOS"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        unsigned major, minor, least, and_least;
        if (!parts[i].needed || !system_version(parts[i].part, launcher->file, &major, &minor))
            continue;
        report_debug(&launcher->report, "%s %u.%u, needed %s", parts[i].name, major, minor, parts[i].needed);
        read_version(parts[i].needed, &least, &and_least);
        if (major < least || (major == least && minor < and_least))
            return fault_set(&launcher->fault, EXIT_OLD_SYSTEM, parts[i].remedy,
                             "this program needs %s %s or newer; this system has %u.%u", parts[i].name, parts[i].needed,
                             major, minor);
    }
    return EXIT_FINE;
}

/* musl's loader takes a list of folders, and cannot be told of one that has a colon in its name. */
static int check_loader(struct launcher *launcher)
{
    if (!launcher->bundle.launch.loader || !strchr(launcher->place->path, ':'))
        return EXIT_FINE;
    return fault_set(&launcher->fault, EXIT_PLACE, "", "its name has a colon in it, which would part the list of libraries");
}

/* Not while somebody removes layers that no program names. */
static int put_app(struct launcher *launcher, const char *draft, const char *final)
{
    handle still;
    int code = cache_hold_still(launcher, &still);
    if (code)
        return code;
    code = cache_put(launcher, launcher->bundle.id, draft, final, app_is_there(launcher));
    file_close(still);
    return code;
}

static int make_app(struct launcher *launcher)
{
    const char *id = launcher->bundle.id;
    handle lock;
    int code = check_loader(launcher);
    if (code == EXIT_FINE)
        code = cache_prepare(launcher);
    if (code == EXIT_FINE)
        code = check_system(launcher);
    if (code == EXIT_FINE)
        code = cache_lock(launcher, id, &lock);
    if (code)
        return code;
    if (!app_is_there(launcher)) {
        char *draft = NULL, *final = app_path(launcher, NULL);
        cache_sweep(launcher, id, lock);
        code = cache_draft(launcher, id, &draft);
        oserr error = code ? 0 : fill_draft(launcher, draft);
        if (error)
            code = cache_refuses(launcher, error, "writing to it");
        if (code == EXIT_FINE)
            code = put_app(launcher, draft, final);
        if (code && draft)
            folder_remove(draft);
        memory_free(draft);
        memory_free(final);
    }
    file_close(lock);
    return code;
}

int app_ready(struct launcher *launcher)
{
    for (int tries = 0; tries < 3; tries++) {
        if (hold(launcher))
            return EXIT_FINE;
        int code = make_app(launcher);
        if (code)
            return code;
    }
    return fault_set(&launcher->fault, EXIT_PLACE, "", "its apps folder is changed by somebody else again and again");
}
