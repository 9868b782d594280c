/* SPDX-License-Identifier: MIT */
/* A part of a bundle that is unpacked for itself. */
#ifndef PYPACK_FORMAT_LAYER_H
#define PYPACK_FORMAT_LAYER_H

#include <stdint.h>

#include "base/sha256.h"

enum layer_kind { LAYER_RUNTIME = 1, LAYER_DEPS = 2, LAYER_APP = 3 };

struct layer {
    enum layer_kind kind;
    uint64_t offset;   /* in the file, once bundle_set_base() has said where the payload begins there */
    uint64_t size;     /* in the bundle */
    uint64_t unpacked; /* bytes of the tar, or of the zip's local entries */
    uint32_t frames;
    uint8_t identity[SHA256_SIZE];
    char folder[33]; /* its name in the cache */
};

const char *layer_name(enum layer_kind kind);

#endif
