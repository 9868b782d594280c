/* SPDX-License-Identifier: MIT */
/* system.h for Windows: UTF-16 at the door, UTF-8 inside. Every UTF-16 text survives the way there and back. */
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

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

static size_t put_point(char *at, uint32_t point)
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
    char *result = memory(wcslen(text) * 3 + 1, 1);
    for (; *text; text++) {
        uint32_t point = *text;
        if (is_high(point) && is_low(text[1]))
            point = 0x10000 + ((point - 0xD800) << 10) + (*++text - 0xDC00U);
        size += put_point(result + size, point);
    }
    return result;
}

/* Take one character; what is no UTF-8 gives the replacement character. */
static uint32_t take_point(const unsigned char **at)
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
    wchar_t *result = memory(strlen(text) + 1, sizeof *result), *to = result;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        uint32_t point = take_point(&at);
        if (point >= 0x10000) {
            *to++ = (wchar_t)(0xD800 + ((point - 0x10000) >> 10));
            point = 0xDC00 + (point & 0x3FF);
        }
        *to++ = (wchar_t)point;
    }
    return result;
}

static wchar_t *add_prefix(const wchar_t *prefix, wchar_t *path, size_t skipped)
{
    size_t before = wcslen(prefix), size = wcslen(path + skipped) + 1;
    wchar_t *result = memory(before + size, sizeof *result);
    memcpy(result, prefix, before * sizeof *result);
    memcpy(result + before, path + skipped, size * sizeof *result);
    memory_free(path);
    return result;
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
        return add_prefix(L"\\\\?\\UNC\\", wide, 2);
    return wide[1] == L':' ? add_prefix(L"\\\\?\\", wide, 0) : wide;
}

char *narrow_path(const wchar_t *path)
{
    char *result = narrow_text(path);
    for (char *at = result; *at; at++)
        if (*at == '\\')
            *at = '/';
    return result;
}

char *system_native_path(const char *path)
{
    char *result = text_copy(path, strlen(path));
    for (char *at = result; *at; at++)
        if (*at == '/')
            *at = '\\';
    return result;
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
