/* SPDX-License-Identifier: MIT */
/* What both ways of SHA-256 need. */
#ifndef PYPACK_BASE_SHA256_CONSTANTS_H
#define PYPACK_BASE_SHA256_CONSTANTS_H

#include <stdint.h>

extern const uint32_t sha256_constants[64];

#endif
