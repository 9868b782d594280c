/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "base/bytes.h"
#include "harness.h"

#define FOOT 96
#define CHECK SHA256_SIZE
#define BLOCK 512
#define TABLE 16 /* a layer's first frame before its rows */
#define ROW 44
#define UNPACKED_MOST ((uint32_t)1 << 20) /* more is not worth the fuzzer's time */

void mend_trailer(uint8_t *tail, size_t size)
{
    if (size < FOOT)
        return;
    uint8_t *foot = tail + size - FOOT;
    uint32_t whole = le32(foot + CHECK);
    if (whole < FOOT || whole > size)
        return;
    struct sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, tail + size - whole, whole - FOOT);
    sha256_add(&hash, foot + CHECK, FOOT - CHECK);
    sha256_end(&hash, foot);
}

void mend_tar(uint8_t *tar, size_t size)
{
    for (uint8_t *block = tar; size >= BLOCK; block += BLOCK, size -= BLOCK) {
        unsigned sum = 0;
        if (memcmp(block + 257, "ustar", 5) != 0)
            continue;
        for (size_t i = 0; i < BLOCK; i++)
            sum += i >= 148 && i < 156 ? (unsigned)' ' : block[i];
        memcpy(block + 148, "       ", 8);
        for (size_t i = 0; i < 6; i++, sum >>= 3)
            block[148 + 5 - i] = (uint8_t)('0' + (sum & 7));
    }
}

/* What a frame unpacks to gets the hash that its row says; mended tars inside of frames are up to the corpus. */
static void mend_row(uint8_t *row, const uint8_t *packed, uint32_t size)
{
    uint32_t unpacked = le32(row + 4);
    if (unpacked == 0 || unpacked > UNPACKED_MOST)
        return;
    uint8_t *plain = malloc(unpacked);
    size_t got = plain ? ZSTD_decompress(plain, unpacked, packed, size) : 0;
    if (plain && !ZSTD_isError(got) && got == unpacked)
        sha256_of(plain, got, row + 12);
    free(plain);
}

void mend_layer(uint8_t *bytes, size_t size, uint32_t frames, uint8_t identity[SHA256_SIZE])
{
    if (size < TABLE || frames > (size - TABLE) / ROW)
        return;
    size_t at = TABLE + (size_t)frames * ROW;
    struct sha256 hash;
    sha256_begin(&hash);
    for (uint32_t i = 0; i < frames; i++) {
        uint8_t *row = bytes + TABLE + (size_t)i * ROW;
        uint32_t packed = le32(row);
        if (fits(at, packed, size))
            mend_row(row, bytes + at, packed);
        at = fits(at, packed, size) ? at + packed : size;
        sha256_add(&hash, row + 4, ROW - 4);
    }
    sha256_end(&hash, identity);
}
