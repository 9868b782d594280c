/* SPDX-License-Identifier: MIT */
/* A mistyped word in PYPACK_SELF: which was meant? */
#include "self_words.h"

#include <string.h>

#define LONGEST 16 /* bytes */
#define SLIPS 2    /* letters too many, missing or wrong, two that changed places */

static const char *const words[] = {"info", "info-json", "check", "verify", "extract", "clean"};

static unsigned smaller(unsigned one, unsigned other)
{
    return one < other ? one : other;
}

/* Levenshtein's distance, with neighbours that changed places as one slip (V. I. Levenshtein, 1966; F. J. Damerau, 1964). */
static unsigned distance(const char *one, const char *other)
{
    unsigned rows[LONGEST + 1][LONGEST + 1];
    size_t high = strlen(one), wide = strlen(other);
    if (high > LONGEST || wide > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= high; i++)
        for (size_t j = 0; j <= wide; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned swap = one[i - 1] == other[j - 1] ? 0 : 1;
            rows[i][j] = smaller(rows[i - 1][j - 1] + swap, smaller(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                rows[i][j] = smaller(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    return rows[high][wide];
}

const char *self_near_word(const char *word)
{
    const char *nearest = NULL;
    unsigned least = SLIPS + 1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        unsigned slips = distance(word, words[i]);
        if (slips < least) {
            least = slips;
            nearest = words[i];
        }
    }
    return nearest;
}
