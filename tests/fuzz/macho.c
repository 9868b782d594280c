/* SPDX-License-Identifier: MIT */
/* The way to the payload of a Mach-O file, thin or fat: how large the file is (4), then its beginning; the rest is zero. */
#include "os/macos/macho.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "harness.h"

#define HEAD 4

struct beginning {
    const uint8_t *bytes;
    size_t size;
};

static bool read_memory(void *from, void *bytes, size_t size, uint64_t offset)
{
    const struct beginning *file = from;
    size_t there = offset < file->size ? file->size - (size_t)offset : 0;
    memset(bytes, 0, size);
    memcpy(bytes, file->bytes + (there ? offset : 0), there < size ? there : size);
    return true;
}

FUZZ(macho)
{
    static const uint32_t processors[] = {MACHO_X86_64, MACHO_ARM64};
    if (size < HEAD)
        return 0;
    struct beginning file = {data + HEAD, size - HEAD};
    struct macho_source source = {read_memory, &file, le32(data)};
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++) {
        uint64_t base, length;
        const char *why = macho_payload(&source, processors[i], &base, &length);
        must(fits(base, length, source.size));
        must(!why || (base == 0 && length == 0 && *why));
    }
    return 0;
}
