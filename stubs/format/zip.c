/* SPDX-License-Identifier: MIT */
#include "format/zip.h"

#include <string.h>

#include "base/bytes.h"
#include "base/report.h"
#include "base/text.h"
#include "exit_codes.h"

#define LOCAL_MAGIC UINT32_C(0x04034b50)
#define LOCAL_HEAD 30
#define BIT_ENCRYPTED 1
#define BIT_SIZES_FOLLOW 8
#define EXTRA_ZIP64 0x0001
#define EXTRA_UNIX 0x756E
#define UNIX_HEAD 14 /* CRC, mode, length of the link's target, uid, gid */
#define IS_LINK 0120000
#define KIND_BITS 0170000

static int report_damage(struct fault *fault, const char *why)
{
    return fault_set(fault, EXIT_PAYLOAD, BUILD_AGAIN, "the zip in this file cannot be read: %s", why);
}

static bool read_unix(const uint8_t *at, size_t size, struct zip_entry *entry)
{
    if (size < UNIX_HEAD)
        return false;
    unsigned mode = le16(at + 4);
    uint32_t length = le32(at + 6);
    if (length > size - UNIX_HEAD || memchr(at + UNIX_HEAD, 0, length))
        return false;
    entry->executable = (mode & 0111) != 0;
    entry->link = (mode & KIND_BITS) == IS_LINK;
    if (entry->link)
        text_add_bytes(&entry->target, at + UNIX_HEAD, length);
    return entry->link ? length > 0 && entry->size == 0 : true;
}

/* Both sizes stand in the field where the local header has all ones (APPNOTE 4.5.3). */
static bool read_zip64(const uint8_t *at, size_t size, uint64_t *stored, uint64_t *plain)
{
    if (*stored != UINT32_MAX && *plain != UINT32_MAX)
        return true;
    if (size < 16)
        return false;
    *plain = le64(at);
    *stored = le64(at + 8);
    return true;
}

static bool read_extras(const uint8_t *at, size_t size, struct zip_entry *entry, uint64_t *stored)
{
    while (size >= 4) {
        unsigned kind = le16(at);
        size_t length = le16(at + 2);
        at += 4;
        size -= 4;
        if (length > size)
            return false;
        if (kind == EXTRA_ZIP64 && !read_zip64(at, length, stored, &entry->size))
            return false;
        if (kind == EXTRA_UNIX && !read_unix(at, length, entry))
            return false;
        at += length;
        size -= length;
    }
    return size == 0;
}

int zip_read(const uint8_t *bytes, size_t size, struct zip_entry *entry, struct fault *fault)
{
    *entry = (struct zip_entry){0};
    if (size < LOCAL_HEAD || le32(bytes) != LOCAL_MAGIC)
        return report_damage(fault, "an entry does not begin where it should");
    if ((le16(bytes + 6) & (BIT_ENCRYPTED | BIT_SIZES_FOLLOW)) != 0 || le16(bytes + 8) != 0)
        return report_damage(fault, "an entry is not stored plainly");
    size_t name = le16(bytes + 26), extra = le16(bytes + 28);
    entry->header = LOCAL_HEAD + name + extra;
    if (entry->header > size || name == 0 || memchr(bytes + LOCAL_HEAD, 0, name))
        return report_damage(fault, "an entry's name cannot be");
    uint64_t stored = le32(bytes + 18);
    entry->size = le32(bytes + 22);
    entry->folder = bytes[LOCAL_HEAD + name - 1] == '/';
    text_add_bytes(&entry->path, bytes + LOCAL_HEAD, name - entry->folder);
    if (read_extras(bytes + LOCAL_HEAD + name, extra, entry, &stored) && stored == entry->size &&
        (!entry->folder || stored == 0))
        return EXIT_FINE;
    zip_free(entry);
    return report_damage(fault, "an entry's sizes or mode cannot be");
}

void zip_free(struct zip_entry *entry)
{
    text_free(&entry->path);
    text_free(&entry->target);
}
