/* SPDX-License-Identifier: MIT */
/*
 * What must stand in apps/<id>/ for Python: pyvenv.cfg, the program's interpreter, and the .pth file that leads to the layers.
 * CPython's site takes the folder above the executable's as the environment, so the interpreter stands in bin/ (Scripts\ on
 * Windows), under the program's name. It is a copy of the launcher (shim.c) with what it has to know, in the file `shim`. Where
 * Python can be started by itself, python/<name> is a link to it, so that `ps` shows the program's name. Where a launcher cannot
 * be copied (macOS), bin/<name> is that link.
 */
#include "cache/app_content.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/app_files.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "format/launch_block.h"
#include "format/layer.h"
#include "format/trailer.h"

/*
 * CPython's getpath takes `home` as it is, so it must be absolute (app_choose() says what becomes of it). A libpython finds its
 * library by itself; `home` is then where sys._base_executable stands, which multiprocessing starts on Windows.
 */
void app_describe_settings(const struct launcher *launcher, struct text *settings)
{
    bool embedded = strcmp(launcher->bundle.launch.mode, "embed") == 0 && system_embeds_only();
    char *python = embedded ? app_python(launcher)
                            : layer_path(launcher, LAYER_RUNTIME, launcher->bundle.launch.python);
    char *folder = path_parent(python), *home = system_native_path(folder);
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

static void add_path(struct text *lines, const char *key, char *path)
{
    text_format(lines, "%s=%s\n", key, path);
    memory_free(path);
}

/* What stands in apps/<id>/shim. */
static void describe_shim(const struct launcher *launcher, struct text *lines)
{
    const struct launch *launch = &launcher->bundle.launch;
    bool through_loader = launch->loader != NULL;
    text_format(lines, "launch=%s\n", through_loader ? "loader" : system_embeds_only() ? "embed" : "exec");
    text_format(lines, "id=%s\n", launcher->bundle.id);
    add_path(lines, "python", layer_path(launcher, LAYER_RUNTIME, launch->python));
    add_path(lines, "interpreter", app_python(launcher));
    add_path(lines, "main", layer_path(launcher, LAYER_APP, ""));
    if (!through_loader && !system_embeds_only())
        add_path(lines, "link", app_link(launcher));
    if (launch->glibc && !system_embeds_only())
        add_path(lines, "origin", layer_path(launcher, LAYER_RUNTIME, launch->python));
    if (launch->libpython && system_embeds_only())
        add_path(lines, "libpython", layer_path(launcher, LAYER_RUNTIME, launch->libpython));
    if (through_loader) {
        add_path(lines, "loader", app_link(launcher));
        add_path(lines, "libraries", app_libraries(launcher));
    }
}

/* One line for each folder of sys.path, from the .pth's own folder, and those that the bundle gives as they are. */
static void describe_site(const struct launcher *launcher, struct text *lines)
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

static oserr visit_text(const struct launcher *launcher, const char *path,
                        void (*describe)(const struct launcher *, struct text *), app_file_visit *visit, void *argument)
{
    struct text lines = {0};
    describe(launcher, &lines);
    const struct app_file file = {APP_TEXT, path, text_of(&lines)};
    oserr error = visit(launcher, &file, argument);
    text_free(&lines);
    return error;
}

/* A link in a folder of apps/<id>/ to a file of the runtime. */
static oserr visit_link(const struct launcher *launcher, const char *path, const char *inside, app_file_visit *visit,
                        void *argument)
{
    const struct layer *runtime = bundle_layer(&launcher->bundle, LAYER_RUNTIME);
    char *target = path_join("../../../layers", runtime->folder, inside, NULL);
    const struct app_file file = {APP_LINK, path, target};
    oserr error = visit(launcher, &file, argument);
    memory_free(target);
    return error;
}

/* The names that an interpreter has in a virtual environment; the program may have one of them. */
static oserr visit_interpreters(const struct launcher *launcher, app_file_visit *visit, void *argument)
{
    const struct launch *launch = &launcher->bundle.launch;
    const char *const names[] = {launch->name, "python", "python3"};
    oserr error = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && !error; i++) {
        if (i > 0 && strcmp(names[i], launch->name) == 0)
            continue;
        char *path = app_program(names[i]);
        const struct app_file copy = {APP_LAUNCHER, path, NULL};
        error = system_copies_launcher() ? visit(launcher, &copy, argument)
                                         : visit_link(launcher, path, launch->python, visit, argument);
        if (i > 0 && system_classify(error) == CLASS_EXISTS)
            error = 0; /* it is the program's own name, but for case */
        memory_free(path);
    }
    return error;
}

/* What is started: a link to the loader or to Python. Windows has neither, and on macOS it is an interpreter. */
static oserr visit_started(const struct launcher *launcher, app_file_visit *visit, void *argument)
{
    const struct launch *launch = &launcher->bundle.launch;
    if (system_embeds_only() || !system_copies_launcher())
        return 0;
    char *path = app_link_inside(launcher);
    oserr error = visit_link(launcher, path, launch->loader ? launch->loader : launch->python, visit, argument);
    memory_free(path);
    return error;
}

oserr app_visit_files(const struct launcher *launcher, app_file_visit *visit, void *argument)
{
    const char *site = launcher->bundle.launch.site;
    oserr error = visit_text(launcher, APP_SETTINGS, app_describe_settings, visit, argument);
    if (!error && system_copies_launcher())
        error = visit_text(launcher, APP_SHIM, describe_shim, visit, argument);
    if (!error)
        error = visit_interpreters(launcher, visit, argument);
    if (!error)
        error = visit_started(launcher, visit, argument);
    if (!error && site) {
        char *path = path_join(site, "pypack.pth", NULL);
        error = visit_text(launcher, path, describe_site, visit, argument);
        memory_free(path);
    }
    return error;
}

static bool has_size(const char *path, uint64_t size)
{
    struct file_info info;
    return file_stat(path, false, &info) == 0 && info.kind == KIND_FILE && info.size == size;
}

static bool has_link(const struct launcher *launcher)
{
    struct file_info info;
    if (system_embeds_only())
        return true;
    char *link = app_link(launcher);
    bool stands = file_stat(link, false, &info) == 0 && info.kind == KIND_LINK;
    memory_free(link);
    return stands;
}

bool app_interpreter_stands(const struct launcher *launcher)
{
    if (!system_copies_launcher())
        return has_link(launcher);
    struct text lines = {0};
    describe_shim(launcher, &lines);
    char *file = app_path(launcher, APP_SHIM), *python = app_python(launcher);
    bool stands = has_size(python, app_launcher_size(launcher)) && has_size(file, lines.size) && has_link(launcher);
    memory_free(python);
    memory_free(file);
    text_free(&lines);
    return stands;
}
