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
#define BIN "bin"
#define CLEANER_PAUSE 20 /* milliseconds */
#define CLEANER_TRIES 500

char *app_path(const struct launcher *launcher, const char *inside)
{
    char *folder = cache_path(launcher, "apps", launcher->bundle.id);
    char *path = path_join(folder, inside, NULL);
    memory_free(folder);
    return path;
}

char *app_python(const struct launcher *launcher)
{
    char *folder = app_path(launcher, BIN);
    char *path = path_join(folder, launcher->bundle.launch.name, NULL);
    memory_free(folder);
    return path;
}

/* CPython's getpath takes `home` as it is, so it must be absolute: a cache that was moved gets a new file. */
static void settings_of(const struct launcher *launcher, struct text *settings)
{
    char *python = layer_path(launcher, LAYER_RUNTIME, launcher->bundle.launch.python);
    char *home = path_parent(python);
    text_format(settings, "home = %s\ninclude-system-site-packages = false\npypack-layers =", home);
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++)
        text_format(settings, " %s", launcher->bundle.layers[i].folder);
    text_add(settings, "\n");
    memory_free(home);
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
    struct file_info info;
    char *link = app_python(launcher);
    same = file_look(link, false, &info) == 0 && info.kind == KIND_LINK;
    memory_free(link);
    return same;
}

/* Open and lock what stands there. A cleaner holds it for a moment only, then it is gone. */
static bool hold(struct launcher *launcher)
{
    char *path = app_path(launcher, SETTINGS);
    bool held = false;
    for (unsigned tries = 0; tries < CLEANER_TRIES && !held; tries++) {
        if (file_open(path, &launcher->app_lock) != 0)
            break;
        oserr error = lock_try(launcher->app_lock, true);
        held = !(error && system_meaning(error) == MEANS_BUSY) && !file_is_gone(launcher->app_lock);
        if (held && settings_hold(launcher, launcher->app_lock))
            break;
        app_release(launcher);
        if (held) { /* stale: to be made anew */
            held = false;
            break;
        }
        system_sleep(CLEANER_PAUSE);
    }
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

/* One line for each folder of sys.path, from the .pth's own folder. */
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
    const struct launch *launch = &launcher->bundle.launch;
    struct text settings = {0};
    settings_of(launcher, &settings);
    char *file = path_join(draft, SETTINGS, NULL);
    char *bin = path_join(draft, BIN, NULL);
    char *link = path_join(bin, launch->name, NULL);
    char *target = path_join("../../../layers", bundle_layer(&launcher->bundle, LAYER_RUNTIME)->folder, launch->python, NULL);
    oserr error = file_write(file, settings.data, settings.size);
    if (!error)
        error = folder_make(bin);
    if (!error)
        error = file_link(link, target);
    if (!error)
        error = write_site(launcher, draft);
    memory_free(target);
    memory_free(link);
    memory_free(bin);
    memory_free(file);
    text_free(&settings);
    return error;
}

/* `glibc=2.N` against the system's. What cannot be found out is left to the start itself. */
static int check_glibc(struct launcher *launcher)
{
    const char *needed = launcher->bundle.launch.glibc;
    unsigned major, minor;
    if (!needed || strncmp(needed, "2.", 2) != 0 || !glibc_of_system(launcher->file, &major, &minor))
        return EXIT_FINE;
    report_debug(&launcher->report, "glibc %u.%u, needed %s", major, minor, needed);
    if (minor >= strtoul(needed + 2, NULL, 10))
        return EXIT_FINE;
    return fault_set(&launcher->fault, EXIT_OLD_SYSTEM, "use a newer system, or build the program for linux-musl",
                     "this program needs glibc %s or newer; this system has %u.%u", needed, major, minor);
}

static int make_app(struct launcher *launcher)
{
    const char *id = launcher->bundle.id;
    handle lock;
    int code = cache_prepare(launcher);
    if (code == EXIT_FINE)
        code = check_glibc(launcher);
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
            code = cache_put(launcher, id, draft, final, app_is_there(launcher));
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
