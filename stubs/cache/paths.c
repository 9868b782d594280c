/* SPDX-License-Identifier: MIT */
/* Where everything stands in the cache. */
#include "cache/paths.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "format/launch_block.h"
#include "format/layer.h"
#include "format/trailer.h"

#define LOADER "loader"
#define LINK "python"

char *cache_path(const struct launcher *launcher, const char *kind, const char *name)
{
    return path_join(launcher->root->path, kind, name, NULL);
}

char *cache_lock_path(const struct launcher *launcher, const char *name)
{
    struct text file = {0};
    text_format(&file, "%s.lock", name);
    char *path = cache_path(launcher, "tmp", file.data);
    text_free(&file);
    return path;
}

char *layer_path(const struct launcher *launcher, enum layer_kind kind, const char *inside)
{
    const struct layer *layer = bundle_layer(&launcher->bundle, kind);
    char *folder = cache_path(launcher, "layers", layer ? layer->folder : "none");
    char *path = path_join(folder, *inside ? inside : NULL, NULL);
    memory_free(folder);
    return path;
}

const char *app_name(const struct launcher *launcher)
{
    return launcher->app[0] ? launcher->app : launcher->bundle.id;
}

char *app_path(const struct launcher *launcher, const char *inside)
{
    char *folder = cache_path(launcher, "apps", app_name(launcher));
    char *path = path_join(folder, inside, NULL);
    memory_free(folder);
    return path;
}

char *app_program(const char *name)
{
    struct text file = {0};
    text_format(&file, "%s/%s%s", system_programs(), name, system_suffix());
    return file.data;
}

/* `inside` is freed. */
static char *app_path_of(const struct launcher *launcher, char *inside)
{
    char *path = app_path(launcher, inside);
    memory_free(inside);
    return path;
}

char *app_python(const struct launcher *launcher)
{
    return app_path_of(launcher, app_program(launcher->bundle.launch.name));
}

/* Under the program's name, for `ps`; but musl's loader turns into ldd when it is called something that ends so. */
static char *make_loader_name(const char *name)
{
    static const char taken[] = "ldd";
    size_t size = strlen(name), tail = sizeof taken - 1;
    bool ends_so = size >= tail && strcmp(name + size - tail, taken) == 0;
    struct text text = {0};
    text_format(&text, "%s%s", name, ends_so ? "_" : "");
    return text.data;
}

char *app_link_inside(const struct launcher *launcher)
{
    const struct launch *launch = &launcher->bundle.launch;
    if (!launch->loader && !system_copies_launcher())
        return app_program(launch->name);
    char *name = launch->loader ? make_loader_name(launch->name) : text_copy(launch->name, strlen(launch->name));
    char *inside = path_join(launch->loader ? LOADER : LINK, name, NULL);
    memory_free(name);
    return inside;
}

char *app_link(const struct launcher *launcher)
{
    return app_path_of(launcher, app_link_inside(launcher));
}

char *app_libraries(const struct launcher *launcher)
{
    char *loader = layer_path(launcher, LAYER_RUNTIME, launcher->bundle.launch.loader);
    char *folder = path_parent(loader);
    memory_free(loader);
    return folder;
}
