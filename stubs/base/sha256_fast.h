/* SPDX-License-Identifier: MIT */
/* SHA-256 by the processor's own instructions. */
#ifndef PYPACK_BASE_SHA256_FAST_H
#define PYPACK_BASE_SHA256_FAST_H

#include <stddef.h>
#include <stdint.h>

typedef void sha256_blocks(uint32_t state[8], const uint8_t *blocks, size_t count);
/* Return the fast way of this processor, or NULL. */
sha256_blocks *sha256_fast(void);

#endif
