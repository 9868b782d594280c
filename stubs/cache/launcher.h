/* SPDX-License-Identifier: MIT */
/* One start of a bundle: what is known about it. */
#ifndef PYPACK_CACHE_LAUNCHER_H
#define PYPACK_CACHE_LAUNCHER_H

#include <stdbool.h>

#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "format/sink.h"
#include "format/trailer.h"

struct launcher {
    struct report report;
    struct fault fault;
    char **words;       /* the arguments as given, ended by NULL; never empty */
    const char *called; /* how the bundle was called */
    struct text path;   /* of the bundle, absolute */
    handle file;
    struct payload payload; /* where in the file it is */
    struct bundle bundle;
    bool is_shim;

    /* the cache folder that is being tried */
    struct cache_root *root;
    char app[33]; /* the program's folder in apps/ where it is not the bundle's id */
    bool read_only;
    bool prepared;
    bool modes_set;
    unsigned modes_before;
    struct text trash; /* what is to be removed: folders in tmp/, each ended by a zero byte */
    bool more_trash;   /* there is more in tmp/ than was looked at */
    handle app_lock;
    const struct members *members; /* of each layer, while the cache is verified */
    unsigned waited; /* milliseconds, for locks */
};

#endif
