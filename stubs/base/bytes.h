/* SPDX-License-Identifier: MIT */
/* Little-endian numbers and checked sums, for everything that is read from the bundle. */
#ifndef PYPACK_BASE_BYTES_H
#define PYPACK_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

static inline uint16_t le16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t le64(const uint8_t *at)
{
    return le32(at) | (uint64_t)le32(at + 4) << 32;
}

/* Whether `size` bytes from `offset` on lie inside of `whole` bytes. */
static inline bool fits(uint64_t offset, uint64_t size, uint64_t whole)
{
    return offset <= whole && size <= whole - offset;
}

#endif
