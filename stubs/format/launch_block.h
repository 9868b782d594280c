/* SPDX-License-Identifier: MIT */
/* What the trailer says about starting the program (docs/bundle-format.md). Reading is a function of memory alone. */
#ifndef PYPACK_FORMAT_LAUNCH_BLOCK_H
#define PYPACK_FORMAT_LAUNCH_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"
#include "format/layer.h"

/* A path inside a layer; `size` only where it is a sentinel. */
struct inside {
    enum layer_kind kind;
    uint64_t size;
    const char *path;
};

/* A command of a package: a script of Python's (a function to call, or a file in a layer), or a program in a layer. */
struct command_entry {
    char *name; /* in memory of its own */
    bool is_script;
    const char *object; /* module:function, or NULL */
    struct inside inside;
};

struct launch {
    const char *name, *version, *target, *mode, *python, *boot, *main, *site, *libpython, *loader, *glibc, *macos;
    const char **options;
    const char **programs; /* commands that the bundle can be, each of which starts bin/<name> of the app layer */
    const char **pth; /* further lines of pypack.pth, as they are */
    struct inside *paths;
    struct inside *data; /* folders of layers whose content stands in apps/<id>/ too */
    struct inside *sentinels;
    struct command_entry *commands;
    size_t option_count, program_count, pth_count, path_count, data_count, sentinel_count, command_count;
    bool no_self, no_interpreter; /* PYPACK_SELF, PYPACK_INTERPRETER mean nothing here */
    bool standard; /* PYTHONPATH and its like count, as they do for any other Python */
};

/*
 * Read the block, which is `key=value` words, each ended by a zero byte: all strings point into it, and every path is checked.
 * Returns EXIT_FINE or EXIT_TRAILER.
 */
int launch_read(char *block, size_t size, struct launch *launch, struct fault *fault);

#endif
