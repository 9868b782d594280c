/* SPDX-License-Identifier: MIT */
/* Text that grows, and paths made of it. */
#ifndef PYPACK_BASE_TEXT_H
#define PYPACK_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing text. All zero is the empty one; `data` is NULL until something was added, then ends in a zero byte. */
struct text {
    char *data;
    size_t size;
    size_t room;
};

char *text_copy(const char *from, size_t size);

void text_add(struct text *text, const char *more);
void text_add_bytes(struct text *text, const void *bytes, size_t size);
void text_add_hex(struct text *text, const uint8_t *bytes, size_t size);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vformat(struct text *text, const char *format, va_list values) __attribute__((format(printf, 2, 0)));
void text_add_quoted(struct text *text, const char *word); /* as a shell would want it */
/* How many bytes the UTF-8 character takes that begins here: 0 if none does. */
size_t text_character(const unsigned char *at);
const char *text_of(const struct text *text);
void text_clear(struct text *text);
void text_free(struct text *text);

/* Join parts with "/" into new memory; the list ends with NULL. */
char *path_join(const char *first, ...) __attribute__((sentinel));
char *path_parent(const char *path);
const char *path_name(const char *path);
/* Whether a path from the bundle is relative, holds no "..", no empty or "." part, and no drive or "\". */
bool path_stays_inside(const char *path);
/* Whether a symbolic link at `path` leads to somewhere inside of the same tree. */
bool link_stays_inside(const char *path, const char *target);

#endif
