/* SPDX-License-Identifier: MIT */
/* The interpreter that the program's children see. */
#ifndef PYPACK_SHIM_H
#define PYPACK_SHIM_H

#include <stdbool.h>
#include <stddef.h>

#include "cache/launcher.h"

/* Whether this launcher is such a copy; then become Python, with the words and the environment as they are. */
bool shim_is_one(const struct launcher *launcher);
int shim_start(struct launcher *launcher);
/*
 * Variables that say where the runtime is: the bundle knows better. They are hidden from every Python that is started here.
 */
#define SHIM_OUTER "PYPACK_OUTER_PYTHONPATH" /* what PYTHONPATH was from outside: it is for no Python of the program's */
#define SHIM_HIDDEN "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE", "PYTHON_PRESITE", "__PYVENV_LAUNCHER__"
/*
 * glibc's loader learns from /proc what $ORIGIN means for a program, and a shared libpython is found by that. Where /proc is
 * missing the loader is told by this variable; the bootstrap takes it away again. NULL where there is nothing to tell.
 */
char *shim_origin(const char *python);
/* What stands in front of Python's own arguments where a loader starts it; `name` becomes its argv[0]. */
#define SHIM_LOADER_WORDS 8
size_t shim_loader_words(char **words, char *loader, char *libraries, char *name, char *python);

#endif
