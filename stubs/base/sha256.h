/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4), by the processor's own instructions where it has them. */
#ifndef PYPACK_BASE_SHA256_H
#define PYPACK_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha256_fast.h"

#define SHA256_SIZE 32

struct sha256 {
    uint32_t state[8];
    uint64_t size;
    uint8_t rest[64];
    sha256_blocks *blocks;
    bool asked; /* the processor, for its instructions */
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t size);
void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_SIZE]);
void sha256_of(const void *bytes, size_t size, uint8_t digest[SHA256_SIZE]);

#endif
