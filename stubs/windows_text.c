/* SPDX-License-Identifier: MIT */
/* system.h for Windows: UTF-16 at the door, UTF-8 inside. Every UTF-16 text survives the way there and back. */
#include <string.h>
#include <wchar.h>

#include "windows_body.h"

#define REPLACEMENT 0xFFFDU
#define SHORT_ENOUGH 240 /* folders may have 247, files 259 characters without the prefix */

static bool is_high(unsigned unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(unsigned unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static size_t put(char *at, uint32_t point)
{
    static const struct {
        uint32_t below;
        unsigned char lead;
    } shapes[] = {{0x80, 0}, {0x800, 0xC0}, {0x10000, 0xE0}, {0x110000, 0xF0}};
    size_t more = 0;
    while (point >= shapes[more].below)
        more++;
    for (size_t i = more; i; i--, point >>= 6)
        at[i] = (char)(0x80 | (point & 0x3F));
    at[0] = (char)(shapes[more].lead | point);
    return more + 1;
}

char *narrow_text(const wchar_t *text)
{
    size_t size = 0;
    char *made = memory(wcslen(text) * 3 + 1, 1);
    for (; *text; text++) {
        uint32_t point = *text;
        if (is_high(point) && is_low(text[1]))
            point = 0x10000 + ((point - 0xD800) << 10) + (*++text - 0xDC00U);
        size += put(made + size, point);
    }
    return made;
}

/* Take one character; what is no UTF-8 gives the replacement character. */
static uint32_t take(const unsigned char **at)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    unsigned char lead = *(*at)++;
    if (lead < 0x80)
        return lead;
    size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint32_t point = lead & (0x3FU >> more);
    if (lead < 0xC2 || lead > 0xF4)
        return REPLACEMENT;
    for (size_t i = 0; i < more; i++) {
        if ((**at & 0xC0) != 0x80)
            return REPLACEMENT;
        point = point << 6 | (*(*at)++ & 0x3FU);
    }
    return point >= least[more] && point < 0x110000 ? point : REPLACEMENT;
}

wchar_t *wide_text(const char *text)
{
    wchar_t *made = memory(strlen(text) + 1, sizeof *made), *to = made;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        uint32_t point = take(&at);
        if (point >= 0x10000) {
            *to++ = (wchar_t)(0xD800 + ((point - 0x10000) >> 10));
            point = 0xDC00 + (point & 0x3FF);
        }
        *to++ = (wchar_t)point;
    }
    return made;
}

static wchar_t *prefixed(const wchar_t *prefix, wchar_t *path, size_t skipped)
{
    size_t before = wcslen(prefix), size = wcslen(path + skipped) + 1;
    wchar_t *made = memory(before + size, sizeof *made);
    memcpy(made, prefix, before * sizeof *made);
    memcpy(made + before, path + skipped, size * sizeof *made);
    memory_free(path);
    return made;
}

wchar_t *wide_path(const char *path)
{
    wchar_t *wide = wide_text(path);
    for (wchar_t *at = wide; *at; at++)
        if (*at == L'/')
            *at = L'\\';
    if (wcslen(wide) < SHORT_ENOUGH || wcsncmp(wide, L"\\\\?\\", 4) == 0 || wcsncmp(wide, L"\\\\.\\", 4) == 0)
        return wide;
    if (wcsncmp(wide, L"\\\\", 2) == 0)
        return prefixed(L"\\\\?\\UNC\\", wide, 2);
    return wide[1] == L':' ? prefixed(L"\\\\?\\", wide, 0) : wide;
}

char *narrow_path(const wchar_t *path)
{
    char *made = narrow_text(path);
    for (char *at = made; *at; at++)
        if (*at == '\\')
            *at = '/';
    return made;
}

char *system_native(const char *path)
{
    char *made = text_copy(path, strlen(path));
    for (char *at = made; *at; at++)
        if (*at == '/')
            *at = '\\';
    return made;
}

wchar_t *wide_answer(DWORD (*ask)(wchar_t *buffer, DWORD room, const void *about), const void *about)
{
    for (DWORD room = 256; room <= 1U << 16; room *= 2) {
        wchar_t *buffer = memory(room, sizeof *buffer);
        DWORD size = ask(buffer, room, about);
        if (size && size < room)
            return buffer;
        memory_free(buffer);
        if (!size)
            return NULL;
    }
    return NULL;
}
