/* SPDX-License-Identifier: MIT */
/* What the end of a bundle says about it (docs/bundle-format.md). Reading is a function of memory alone. */
#ifndef PYPACK_TRAILER_H
#define PYPACK_TRAILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"
#include "sha256.h"

#define TRAILER_MOST 65535
#define TRAILER_PADDED 40 /* bytes that show how many zero bytes a signer put behind a trailer */
#define LAYERS_MOST 3

enum layer_kind { LAYER_RUNTIME = 1, LAYER_DEPS = 2, LAYER_APP = 3 };

struct layer {
    enum layer_kind kind;
    uint64_t offset;   /* in the file, once bundle_place() has said where the payload begins there */
    uint64_t size;     /* in the bundle */
    uint64_t unpacked; /* bytes of the tar, or of the zip's local entries */
    uint32_t frames;
    uint8_t identity[SHA256_SIZE];
    char folder[33]; /* its name in the cache */
};

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
    const char *name, *version, *target, *mode, *python, *boot, *site, *libpython, *loader, *glibc, *macos;
    const char **options;
    const char **pth; /* further lines of pypack.pth, as they are */
    struct inside *paths;
    struct inside *sentinels;
    struct command_entry *commands;
    size_t option_count, pth_count, path_count, sentinel_count, command_count;
    bool no_self, no_interpreter; /* PYPACK_SELF, PYPACK_INTERPRETER mean nothing here */
};

struct bundle {
    char *bytes; /* the trailer; all strings point into it */
    size_t size;
    char id[33];
    struct layer layers[LAYERS_MOST];
    unsigned layer_count;
    struct launch launch;
};

const char *layer_name(enum layer_kind kind);
const struct layer *bundle_layer(const struct bundle *bundle, enum layer_kind kind);

/*
 * Read the trailer out of `tail`, the last bytes of the payload, which ends at `end` of the bundle.
 * Returns EXIT_FINE, EXIT_NO_BUNDLE or EXIT_TRAILER.
 */
int trailer_read(const uint8_t *tail, size_t size, uint64_t end, struct bundle *bundle, struct fault *fault);
/* How many zero bytes, at most 7, stand behind the trailer at the end of `tail`; 0 where there is no trailer. */
size_t trailer_padding(const uint8_t *tail, size_t size);
/* All offsets in a trailer count from the start of the payload: turn them into those of the file. */
void bundle_place(struct bundle *bundle, uint64_t base);
/* The part of it that reads `key=value` lines; every path in it is checked. */
int launch_read(char *block, size_t size, struct launch *launch, struct fault *fault);
void bundle_free(struct bundle *bundle);

#endif
