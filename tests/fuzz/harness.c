/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exit_codes.h"

_Noreturn void wrong(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
    abort();
}

void answered(int code, int first, int last, struct fault *fault)
{
    must(code == EXIT_FINE || (code >= first && code <= last));
    must(code == EXIT_FINE || (fault->code == code && fault->what.size && fault->remedy.size));
    fault_clear(fault);
}

uint8_t *exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    must(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

handle file_of(const uint8_t *data, size_t size)
{
    static int file = -1;
    if (file < 0)
        file = memfd_create("input", MFD_CLOEXEC);
    must(file >= 0 && ftruncate(file, 0) == 0);
    for (size_t at = 0; at < size;) {
        ssize_t done = pwrite(file, data + at, size - at, (off_t)at);
        must(done > 0);
        at += (size_t)done;
    }
    return file;
}

/* ---- the strict sink ---- */

struct strict {
    struct sink sink;
    bool open;
    uint64_t left;
};

static int strict_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault)
{
    struct strict *strict = (struct strict *)sink;
    (void)executable, (void)fault;
    must(!strict->open && path_stays_inside(path));
    strict->open = true;
    strict->left = size;
    return EXIT_FINE;
}

static int strict_data(struct sink *sink, const uint8_t *bytes, size_t size, struct fault *fault)
{
    struct strict *strict = (struct strict *)sink;
    static volatile uint8_t last;
    (void)fault;
    must(strict->open && size > 0 && size <= strict->left);
    last = bytes[0];
    last = bytes[size - 1];
    (void)last;
    strict->left -= size;
    return EXIT_FINE;
}

static int strict_end(struct sink *sink, struct fault *fault)
{
    struct strict *strict = (struct strict *)sink;
    (void)fault;
    must(strict->open && strict->left == 0);
    strict->open = false;
    return EXIT_FINE;
}

static int strict_link(struct sink *sink, const char *path, const char *target, struct fault *fault)
{
    (void)fault;
    must(!((struct strict *)sink)->open && path_stays_inside(path) && link_stays_inside(path, target));
    return EXIT_FINE;
}

static int strict_folder(struct sink *sink, const char *path, struct fault *fault)
{
    (void)fault;
    must(!((struct strict *)sink)->open && path_stays_inside(path));
    return EXIT_FINE;
}

static void strict_close(struct sink *sink)
{
    memory_free(sink);
}

struct sink *strict_sink(const struct sink_maker *maker, struct fault *fault)
{
    (void)maker, (void)fault;
    struct strict *strict = memory(1, sizeof *strict);
    strict->sink = (struct sink){NULL, strict_file, strict_data, strict_end, strict_link, strict_folder, strict_close};
    return &strict->sink;
}
