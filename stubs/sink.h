/* SPDX-License-Identifier: MIT */
/* Where the members of a layer go: into a new tree, or into a comparison with one that stands. */
#ifndef PYPACK_SINK_H
#define PYPACK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

/* Each answer is EXIT_FINE or a code with `fault` filled. Between file and end come the file's bytes, in order. */
struct sink {
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
};

struct sink *writing_sink(const struct sink_maker *maker, struct fault *fault);
struct sink *checking_sink(const struct sink_maker *maker, struct fault *fault); /* keeps nothing */
struct sink *comparing_sink(const struct sink_maker *maker, struct fault *fault);

/* Check the member's paths again, then hand it on. */
int sink_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault);
int sink_link(struct sink *sink, const char *path, const char *target, struct fault *fault);
int sink_folder(struct sink *sink, const char *path, struct fault *fault);

#endif
