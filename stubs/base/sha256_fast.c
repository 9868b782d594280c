/* SPDX-License-Identifier: MIT */
/* SHA-256 by the instructions of x86-64 (SHA-NI) and AArch64; any other processor takes the portable way. */
#include "base/sha256_fast.h"

#include "base/sha256_constants.h"
#include "base/system.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* The instructions want the state as ABEF and CDGH (Intel, "New Instructions Supporting the Secure Hash Algorithm"). */
__attribute__((target("sha,sse4.1,ssse3"))) static void native_blocks(uint32_t state[8], const uint8_t *blocks,
                                                                      size_t count)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0xb1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
    for (; count; count--, blocks += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(blocks + 16 * i)), swap);
#pragma GCC unroll 16
        for (int round = 0; round < 16; round++) {
            __m128i now = w[round & 3];
            __m128i sum = _mm_add_epi32(
                now, _mm_loadu_si128((const __m128i *)(const void *)(sha256_constants + 4 * round)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            if (round < 12) {
                __m128i next = _mm_sha256msg1_epu32(now, w[(round + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(w[(round + 3) & 3], w[(round + 2) & 3], 4));
                w[round & 3] = _mm_sha256msg2_epu32(next, w[(round + 3) & 3]);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

sha256_blocks *sha256_fast(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
        return NULL;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) ? native_blocks : NULL;
}

#elif defined(__aarch64__)
#include <arm_neon.h>

__attribute__((target("+sha2"))) static void native_blocks(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
    for (; count; count--, blocks += 64) {
        const uint32x4_t abcd_before = abcd, efgh_before = efgh;
        uint32x4_t w[4];
        for (int i = 0; i < 4; i++)
            w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks + 16 * i)));
        for (int round = 0; round < 16; round++) {
            uint32x4_t now = w[round & 3];
            uint32x4_t sum = vaddq_u32(now, vld1q_u32(sha256_constants + 4 * round));
            uint32x4_t before = abcd;
            abcd = vsha256hq_u32(abcd, efgh, sum);
            efgh = vsha256h2q_u32(efgh, before, sum);
            if (round < 12)
                w[round & 3] = vsha256su1q_u32(vsha256su0q_u32(now, w[(round + 1) & 3]), w[(round + 2) & 3],
                                               w[(round + 3) & 3]);
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

sha256_blocks *sha256_fast(void)
{
    return system_has_sha256() ? native_blocks : NULL;
}

#else

sha256_blocks *sha256_fast(void)
{
    return NULL;
}

#endif
