/* SPDX-License-Identifier: MIT */
/*
 * apps/<id>/bin/<name>, the interpreter under the program's name: a link to the runtime's python, or, where that cannot be
 * started by itself, a copy of the launcher (shim.c) with what it has to know.
 */
#include <string.h>

#include "launcher.h"

#define BIN "bin"
#define LOADER "loader"
#define COPY_PART ((size_t)1 << 16)

static char *python_name(const struct launcher *launcher)
{
    struct text name = {0};
    text_format(&name, "%s%s", launcher->bundle.launch.name, system_suffix());
    return name.data;
}

char *app_python(const struct launcher *launcher)
{
    char *folder = app_path(launcher, BIN), *name = python_name(launcher);
    char *path = path_join(folder, name, NULL);
    memory_free(name);
    memory_free(folder);
    return path;
}

/* Under the program's name, for `ps`; but musl's loader turns into ldd when it is called something that ends so. */
static char *loader_name(const struct launcher *launcher)
{
    static const char taken[] = "ldd";
    const char *name = launcher->bundle.launch.name;
    size_t size = strlen(name), tail = sizeof taken - 1;
    struct text text = {0};
    text_add(&text, name);
    if (size >= tail && strcmp(name + size - tail, taken) == 0)
        text_add(&text, "_");
    return text.data;
}

char *app_loader(const struct launcher *launcher)
{
    char *folder = app_path(launcher, LOADER), *name = loader_name(launcher);
    char *path = path_join(folder, name, NULL);
    memory_free(name);
    memory_free(folder);
    return path;
}

char *app_libraries(const struct launcher *launcher)
{
    char *loader = layer_path(launcher, LAYER_RUNTIME, launcher->bundle.launch.loader);
    char *folder = path_parent(loader);
    memory_free(loader);
    return folder;
}

/* The part of the bundle that is the launcher: what stands before the first layer. */
static uint64_t launcher_size(const struct launcher *launcher)
{
    uint64_t size = UINT64_MAX;
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++)
        if (launcher->bundle.layers[i].offset < size)
            size = launcher->bundle.layers[i].offset;
    return size;
}

static bool has_size(const char *path, uint64_t size)
{
    struct file_info info;
    return file_look(path, false, &info) == 0 && info.kind == KIND_FILE && info.size == size;
}

/* The link to the loader, where there has to be one. */
static bool loader_stands(const struct launcher *launcher)
{
    struct file_info info;
    if (!launcher->bundle.launch.loader)
        return true;
    char *link = app_loader(launcher);
    bool stands = file_look(link, false, &info) == 0 && info.kind == KIND_LINK;
    memory_free(link);
    return stands;
}

static bool shim_stands(const struct launcher *launcher, const char *python)
{
    struct text lines = {0};
    shim_describe(launcher, &lines);
    char *file = app_path(launcher, SHIM_FILE);
    bool stands = has_size(python, launcher_size(launcher)) && has_size(file, lines.size) && loader_stands(launcher);
    memory_free(file);
    text_free(&lines);
    return stands;
}

bool interpreter_stands(const struct launcher *launcher)
{
    struct file_info info;
    char *python = app_python(launcher);
    bool stands = shim_is_needed(launcher) ? shim_stands(launcher, python)
                                           : file_look(python, false, &info) == 0 && info.kind == KIND_LINK;
    memory_free(python);
    return stands;
}

/* A link in a folder of apps/<id>/ to a file of the runtime. */
static oserr link_to_runtime(const struct launcher *launcher, const char *link, const char *inside)
{
    const struct layer *runtime = bundle_layer(&launcher->bundle, LAYER_RUNTIME);
    char *target = path_join("../../../layers", runtime->folder, inside, NULL);
    oserr error = file_link(link, target);
    memory_free(target);
    return error;
}

static oserr copy_launcher(const struct launcher *launcher, handle file)
{
    uint8_t *bytes = memory_raw(COPY_PART);
    oserr error = 0;
    for (uint64_t at = 0, end = launcher_size(launcher); at < end && !error;) {
        size_t got = 0, part = end - at < COPY_PART ? (size_t)(end - at) : COPY_PART;
        error = file_read(launcher->file, bytes, part, at, &got);
        if (at == 0)
            system_unsign(bytes, got);
        if (!error)
            error = tree_write(file, bytes, got);
        at = got ? at + got : end; /* a file that became shorter: found out by the size of the copy */
    }
    memory_free(bytes);
    return error;
}

static oserr write_copy(const struct launcher *launcher, const char *folder, const char *name)
{
    struct tree *tree;
    handle file;
    oserr error = tree_open(folder, &tree);
    if (error)
        return error;
    error = tree_file(tree, name, true, &file);
    if (!error)
        error = copy_launcher(launcher, file);
    file_close(file);
    tree_close(tree);
    return error;
}

static oserr write_loader(const struct launcher *launcher, const char *draft)
{
    if (!launcher->bundle.launch.loader)
        return 0;
    char *folder = path_join(draft, LOADER, NULL), *name = loader_name(launcher);
    char *link = path_join(folder, name, NULL);
    oserr error = folder_make(folder);
    if (!error)
        error = link_to_runtime(launcher, link, launcher->bundle.launch.loader);
    memory_free(link);
    memory_free(name);
    memory_free(folder);
    return error;
}

/* The interpreter as a copy of the launcher, and what the copy has to know. */
static oserr write_shim(const struct launcher *launcher, const char *draft, const char *bin)
{
    struct text lines = {0};
    shim_describe(launcher, &lines);
    char *file = path_join(draft, SHIM_FILE, NULL), *name = python_name(launcher);
    oserr error = file_write(file, lines.data, lines.size);
    if (!error)
        error = write_copy(launcher, bin, name);
    if (!error)
        error = write_loader(launcher, draft);
    memory_free(name);
    memory_free(file);
    text_free(&lines);
    return error;
}

oserr interpreter_write(const struct launcher *launcher, const char *draft)
{
    const struct launch *launch = &launcher->bundle.launch;
    char *bin = path_join(draft, BIN, NULL), *name = python_name(launcher);
    char *link = path_join(bin, name, NULL);
    oserr error = folder_make(bin);
    if (!error)
        error = shim_is_needed(launcher) ? write_shim(launcher, draft, bin)
                                         : link_to_runtime(launcher, link, launch->python);
    memory_free(link);
    memory_free(name);
    memory_free(bin);
    return error;
}

oserr interpreter_twin(const struct launcher *launcher, const char *draft, const char *name)
{
    struct text file = {0};
    text_format(&file, "%s%s", name, system_suffix());
    char *bin = path_join(draft, BIN, NULL), *python = python_name(launcher);
    char *original = path_join(bin, python, NULL), *twin = path_join(bin, file.data, NULL);
    oserr error = file_twin(twin, original);
    if (error && system_meaning(error) != MEANS_EXISTS) /* a disk without such links */
        error = write_copy(launcher, bin, file.data);
    memory_free(twin);
    memory_free(original);
    memory_free(python);
    memory_free(bin);
    text_free(&file);
    return error;
}
