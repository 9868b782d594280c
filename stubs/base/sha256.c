/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <stdbool.h>
#include <string.h>

#include "base/sha256_constants.h"

static uint32_t rotate_right(uint32_t value, unsigned by)
{
    return value >> by | value << (32 - by);
}

static uint32_t read_big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3];
}

static void expand_block(uint32_t w[64], const uint8_t *block)
{
    for (size_t i = 0; i < 16; i++)
        w[i] = read_big_endian(block + 4 * i);
    for (size_t i = 16; i < 64; i++) {
        uint32_t low = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t high = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + low + w[i - 7] + high;
    }
}

static void add_blocks(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    for (; count; count--, blocks += 64) {
        uint32_t w[64], s[8];
        expand_block(w, blocks);
        memcpy(s, state, sizeof s);
        for (size_t i = 0; i < 64; i++) {
            uint32_t e = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
            uint32_t choice = s[6] ^ (s[4] & (s[5] ^ s[6]));
            uint32_t first = s[7] + e + choice + sha256_constants[i] + w[i];
            uint32_t a = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
            uint32_t majority = (s[0] & s[1]) | (s[2] & (s[0] | s[1]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += first;
            s[0] = first + a + majority;
        }
        for (size_t i = 0; i < 8; i++)
            state[i] += s[i];
    }
}

void sha256_begin(struct sha256 *hash)
{
    static const uint32_t start[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    memcpy(hash->state, start, sizeof start);
    hash->size = 0;
    hash->blocks = sha256_fast();
    if (!hash->blocks)
        hash->blocks = add_blocks;
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    size_t held = (size_t)(hash->size % 64);
    hash->size += size;
    if (held) {
        size_t part = 64 - held < size ? 64 - held : size;
        memcpy(hash->rest + held, at, part);
        if (held + part < 64)
            return;
        hash->blocks(hash->state, hash->rest, 1);
        at += part;
        size -= part;
    }
    if (size >= 64)
        hash->blocks(hash->state, at, size / 64);
    if (size % 64)
        memcpy(hash->rest, at + size / 64 * 64, size % 64);
}

void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_SIZE])
{
    static const uint8_t padding[64] = {0x80};
    uint8_t bits[8];
    for (size_t i = 0; i < 8; i++)
        bits[i] = (uint8_t)(hash->size * 8 >> (56 - 8 * i));
    size_t held = (size_t)(hash->size % 64);
    sha256_add(hash, padding, held < 56 ? 56 - held : 120 - held);
    sha256_add(hash, bits, sizeof bits);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_of(const void *bytes, size_t size, uint8_t digest[SHA256_SIZE])
{
    struct sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, bytes, size);
    sha256_end(&hash, digest);
}
