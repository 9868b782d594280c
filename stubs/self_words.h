/* SPDX-License-Identifier: MIT */
#ifndef PYPACK_SELF_WORDS_H
#define PYPACK_SELF_WORDS_H

/* The word of PYPACK_SELF that is spelled most like `word`; NULL where none is. */
const char *self_near_word(const char *word);

#endif
