/* SPDX-License-Identifier: MIT */
#include "os/macos/macho.h"

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"

#define FAT_MAGIC UINT32_C(0xcafebabe) /* numbers in a fat header are big-endian */
#define FAT_MAGIC_64 UINT32_C(0xcafebabf)
#define FAT_HEAD 8
#define FAT_ROW 20
#define FAT_ROW_64 32
#define FAT_MOST 64 /* slices; a Java class file has the same magic and then a larger number */

#define MAGIC_64 UINT32_C(0xfeedfacf)
#define HEAD 32
#define EXECUTE 2
#define COMMANDS_MOST (UINT32_C(1) << 20)
#define SEGMENT_64 UINT32_C(0x19)
#define SEGMENT_HEAD 72
#define SECTION 80
#define NAME 16
#define ZERO_FILL 1 /* a section of this type has no bytes in the file */

static const char segment_name[NAME] = "__PYPACK";
static const char section_name[NAME] = "__payload";
static const char cut[] = "it is not whole";
static const char senseless[] = "its load commands are senseless";

struct slice {
    uint64_t offset, size;
};

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3];
}

static uint64_t be64(const uint8_t *at)
{
    return (uint64_t)be32(at) << 32 | be32(at + 4);
}

static bool read_at(const struct macho_source *source, void *bytes, size_t size, uint64_t offset)
{
    return fits(offset, size, source->size) && source->read(source->from, bytes, size, offset);
}

static const char *find_slice(const struct macho_source *source, uint32_t processor, struct slice *slice)
{
    uint8_t head[FAT_HEAD], row[FAT_ROW_64] = {0};
    *slice = (struct slice){0, source->size};
    if (!read_at(source, head, sizeof head, 0))
        return cut;
    uint32_t magic = be32(head), count = be32(head + 4);
    if (magic != FAT_MAGIC && magic != FAT_MAGIC_64)
        return NULL;
    bool wide = magic == FAT_MAGIC_64;
    size_t size = wide ? FAT_ROW_64 : FAT_ROW;
    for (uint32_t i = 0; i < count; i++) {
        if (i == FAT_MOST)
            return "it has too many parts";
        if (!read_at(source, row, size, FAT_HEAD + (uint64_t)i * size))
            return cut;
        if (be32(row) != processor)
            continue;
        slice->offset = wide ? be64(row + 8) : be32(row + 8);
        slice->size = wide ? be64(row + 16) : be32(row + 12);
        return fits(slice->offset, slice->size, source->size) ? NULL : cut;
    }
    return "it has no part for this processor";
}

/* Read the load commands of a slice into new memory. */
static const char *read_commands(const struct macho_source *source, uint32_t processor, const struct slice *slice,
                                 uint8_t **commands, uint32_t *size, uint32_t *count)
{
    uint8_t head[HEAD];
    if (slice->size < HEAD || !read_at(source, head, HEAD, slice->offset))
        return cut;
    if (le32(head) != MAGIC_64 || le32(head + 12) != EXECUTE)
        return "it is not a 64-bit program of macOS";
    if (le32(head + 4) != processor)
        return "it is for another processor";
    *count = le32(head + 16);
    *size = le32(head + 20);
    if (*size > COMMANDS_MOST)
        return senseless;
    if (!fits(HEAD, *size, slice->size))
        return cut;
    *commands = memory_raw(*size);
    return read_at(source, *commands, *size, slice->offset + HEAD) ? NULL : cut;
}

/* Look for the section in one segment; `found` gets its place in the slice. */
static const char *look_in_segment(const uint8_t *command, uint32_t size, uint64_t whole, struct slice *found,
                                   unsigned *times)
{
    if (size < SEGMENT_HEAD)
        return senseless;
    if (memcmp(command + 8, segment_name, NAME) != 0)
        return NULL;
    uint64_t begin = le64(command + 40), length = le64(command + 48);
    uint32_t sections = le32(command + 64);
    if (sections > (size - SEGMENT_HEAD) / SECTION)
        return senseless;
    if (!fits(begin, length, whole))
        return cut;
    for (const uint8_t *section = command + SEGMENT_HEAD; sections; sections--, section += SECTION) {
        if (memcmp(section, section_name, NAME) != 0)
            continue;
        *found = (struct slice){le32(section + 48), le64(section + 40)};
        bool inside = found->offset >= begin && fits(found->offset - begin, found->size, length);
        if (++*times > 1 || (found->size && (!inside || (le32(section + 64) & 0xff) == ZERO_FILL)))
            return senseless;
    }
    return NULL;
}

static const char *find_section(const uint8_t *commands, uint32_t size, uint32_t count, uint64_t whole,
                                struct slice *found)
{
    unsigned times = 0;
    for (uint32_t at = 0; count; count--) {
        if (size - at < 8)
            return senseless;
        uint32_t length = le32(commands + at + 4);
        if (length < 8 || length % 4 != 0 || length > size - at)
            return senseless;
        const char *why = NULL;
        if (le32(commands + at) == SEGMENT_64)
            why = look_in_segment(commands + at, length, whole, found, &times);
        if (why)
            return why;
        at += length;
    }
    return times ? NULL : "it has no place for one";
}

const char *macho_payload(const struct macho_source *source, uint32_t processor, uint64_t *base, uint64_t *size)
{
    struct slice slice, found = {0, 0};
    uint8_t *commands = NULL;
    uint32_t length = 0, count = 0;
    *base = *size = 0;
    const char *why = find_slice(source, processor, &slice);
    if (!why)
        why = read_commands(source, processor, &slice, &commands, &length, &count);
    if (!why)
        why = find_section(commands, length, count, slice.size, &found);
    memory_free(commands);
    if (why || found.size == 0)
        return why;
    *base = slice.offset + found.offset;
    *size = found.size;
    return NULL;
}
