/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

char *text_copy(const char *from, size_t size)
{
    char *copy = memory_raw(size + 1);
    memcpy(copy, from, size);
    copy[size] = '\0';
    return copy;
}

/* Make room for `size` more bytes and the NUL. */
static void make_room(struct text *text, size_t size)
{
    if (size < text->room - text->size && text->data)
        return;
    if (size > SIZE_MAX / 4)
        memory_report_none();
    size_t room = text->size + size + 1;
    text->room = room < 64 ? 64 : room * 2;
    text->data = memory_grown(text->data, text->room, 1);
}

void text_add_bytes(struct text *text, const void *bytes, size_t size)
{
    make_room(text, size);
    if (size)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_add(struct text *text, const char *more)
{
    text_add_bytes(text, more, strlen(more));
}

void text_add_hex(struct text *text, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        const char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        text_add_bytes(text, pair, 2);
    }
}

void text_vformat(struct text *text, const char *format, va_list values)
{
    va_list again;
    va_copy(again, values);
    make_room(text, 0);
    size_t room = text->room - text->size;
    int size = vsnprintf(text->data + text->size, room, format, values);
    if (size >= 0 && (size_t)size >= room) {
        make_room(text, (size_t)size);
        size = vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
    }
    va_end(again);
    text->size += size < 0 ? 0 : (size_t)size;
    text->data[text->size] = '\0';
}

void text_format(struct text *text, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    text_vformat(text, format, values);
    va_end(values);
}

void text_add_quoted(struct text *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    if (*word && word[strspn(word, plain)] == '\0') {
        text_add(line, word);
        return;
    }
    text_add(line, "'");
    for (; *word; word++) {
        if (*word == '\'')
            text_add(line, "'\\''");
        else
            text_add_bytes(line, word, 1);
    }
    text_add(line, "'");
}

size_t text_character(const unsigned char *at)
{
    if (*at < 0x80)
        return 1;
    size_t size = *at >= 0xF0 ? 4 : *at >= 0xE0 ? 3 : 2;
    if (*at < 0xC2 || *at > 0xF4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    /* too long a form, surrogates, above U+10FFFF */
    if ((*at == 0xE0 && at[1] < 0xA0) || (*at == 0xED && at[1] > 0x9F) || (*at == 0xF0 && at[1] < 0x90) ||
        (*at == 0xF4 && at[1] > 0x8F))
        return 0;
    return size;
}

const char *text_of(const struct text *text)
{
    return text->data ? text->data : "";
}

void text_clear(struct text *text)
{
    text->size = 0;
    if (text->data)
        text->data[0] = '\0';
}

void text_free(struct text *text)
{
    memory_free(text->data);
    *text = (struct text){0};
}

char *path_join(const char *first, ...)
{
    struct text path = {0};
    text_add(&path, first);
    va_list parts;
    va_start(parts, first);
    for (const char *part; (part = va_arg(parts, const char *)) != NULL;) {
        if (path.size && path.data[path.size - 1] != '/')
            text_add(&path, "/");
        text_add(&path, part);
    }
    va_end(parts);
    return path.data;
}

char *path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return text_copy("", 0);
    return text_copy(path, slash == path ? 1 : (size_t)(slash - path));
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool path_stays_inside(const char *path)
{
    if (strchr(path, '\\') || (path[0] && path[1] == ':'))
        return false;
    for (;;) {
        size_t part = strcspn(path, "/");
        if (part == 0 || (part == 1 && path[0] == '.') || (part == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (!path[part])
            return true;
        path += part + 1;
    }
}

bool link_stays_inside(const char *path, const char *target)
{
    if (!*target || *target == '/' || strchr(target, '\\') || target[1] == ':')
        return false;
    size_t depth = 0;
    for (; (path = strchr(path, '/')) != NULL; path++)
        depth++;
    while (*target) {
        size_t part = strcspn(target, "/");
        if (part == 2 && target[0] == '.' && target[1] == '.') {
            if (depth == 0)
                return false;
            depth--;
        } else if (part && !(part == 1 && target[0] == '.')) {
            depth++;
        }
        target += part + (target[part] == '/');
    }
    return true;
}
