/* SPDX-License-Identifier: MIT */
/* Where everything stands in the cache. Each path is in new memory. */
#ifndef PYPACK_CACHE_PATHS_H
#define PYPACK_CACHE_PATHS_H

#include "cache/launcher.h"
#include "format/layer.h"

char *cache_path(const struct launcher *launcher, const char *kind, const char *name);
char *cache_lock_path(const struct launcher *launcher, const char *name);
char *layer_path(const struct launcher *launcher, enum layer_kind kind, const char *inside);

/* ---- apps/<id>/ ---- */

#define APP_SETTINGS "pyvenv.cfg"
#define APP_SHIM "shim"
/* The name of the program's folder in apps/: the bundle's id, or another where that one is for a cache at another path. */
const char *app_name(const struct launcher *launcher);
char *app_path(const struct launcher *launcher, const char *inside);
char *app_program(const char *name); /* an executable of this name, below apps/<id>/ */
char *app_python(const struct launcher *launcher); /* what is started, and sys.executable */
/* The link to Python, or to its loader where the runtime has one of its own, that is started. */
char *app_link(const struct launcher *launcher);
char *app_link_inside(const struct launcher *launcher); /* below apps/<id>/ */
char *app_libraries(const struct launcher *launcher); /* for that loader: the folder of the libraries that it shall find */

#endif
