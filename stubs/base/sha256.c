/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <string.h>

#include "base/sha256_constants.h"

/*
 * Bytes from which on it pays to ask the processor for its instructions: a hypervisor answers the question, which takes as
 * long as hashing some kilobytes. The trailer that each start hashes is smaller.
 */
#define ASK_FROM ((uint64_t)16 << 10)

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

/* One round: the values change places by their names, so that none is moved. */
static inline void add_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f, uint32_t g, uint32_t *h,
                             uint32_t word)
{
    uint32_t choice = g ^ (e & (f ^ g)), majority = (a & b) | (c & (a | b));
    uint32_t first = *h + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) + choice + word;
    *d += first;
    *h = first + (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) + majority;
}

static void add_blocks(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    for (; count; count--, blocks += 64) {
        uint32_t w[64];
        expand_block(w, blocks);
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (size_t i = 0; i < 64; i += 8) {
            const uint32_t *k = sha256_constants + i, *word = w + i;
            add_round(a, b, c, &d, e, f, g, &h, k[0] + word[0]);
            add_round(h, a, b, &c, d, e, f, &g, k[1] + word[1]);
            add_round(g, h, a, &b, c, d, e, &f, k[2] + word[2]);
            add_round(f, g, h, &a, b, c, d, &e, k[3] + word[3]);
            add_round(e, f, g, &h, a, b, c, &d, k[4] + word[4]);
            add_round(d, e, f, &g, h, a, b, &c, k[5] + word[5]);
            add_round(c, d, e, &f, g, h, a, &b, k[6] + word[6]);
            add_round(b, c, d, &e, f, g, h, &a, k[7] + word[7]);
        }
        const uint32_t added[8] = {a, b, c, d, e, f, g, h};
        for (size_t i = 0; i < 8; i++)
            state[i] += added[i];
    }
}

void sha256_begin(struct sha256 *hash)
{
    static const uint32_t start[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    memcpy(hash->state, start, sizeof start);
    hash->size = 0;
    hash->blocks = add_blocks;
    hash->asked = false;
}

static void choose_blocks(struct sha256 *hash)
{
    sha256_blocks *fast = sha256_fast();
    hash->asked = true;
    if (fast)
        hash->blocks = fast;
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    size_t held = (size_t)(hash->size % 64);
    hash->size += size;
    if (!hash->asked && hash->size >= ASK_FROM)
        choose_blocks(hash);
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
