/* SPDX-License-Identifier: MIT */
/* Where the members of a layer go, whatever the format that they come from: unpack/sinks.h has the sinks there are. */
#ifndef PYPACK_FORMAT_SINK_H
#define PYPACK_FORMAT_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"
#include "base/text.h"

/* The paths of a layer's members, each ended by a zero byte, noted by several threads. */
struct members {
    struct text names;
    atomic_flag busy;
};

/* Each answer is EXIT_FINE or a code with `fault` filled. Between file and end come the file's bytes, in order. */
struct sink {
    struct members *members; /* NULL: it is not noted which there are */
    int (*file)(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault);
    int (*data)(struct sink *sink, const uint8_t *bytes, size_t size, struct fault *fault);
    int (*end)(struct sink *sink, struct fault *fault);
    int (*link)(struct sink *sink, const char *path, const char *target, struct fault *fault);
    int (*folder)(struct sink *sink, const char *path, struct fault *fault);
    void (*close)(struct sink *sink);
};

/* Gives sinks for one folder; each thread has its own. */
struct sink_maker {
    struct sink *(*make)(const struct sink_maker *maker, struct fault *fault);
    const char *folder;
    struct members *members; /* NULL, or where to note them */
};

/* Check the member's paths again, then hand it on. */
int sink_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault);
int sink_link(struct sink *sink, const char *path, const char *target, struct fault *fault);
int sink_folder(struct sink *sink, const char *path, struct fault *fault);

#endif
