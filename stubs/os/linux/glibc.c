/* SPDX-License-Identifier: MIT */
/* system.h for Linux: which glibc a program would get here. Its version names stand in libc.so.6 as GLIBC_2.N. */
#include "os/linux/glibc.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "os/posix/posix.h"

#define ELF_HEAD 20
#define CHUNK ((size_t)1 << 18)
#define LONGEST_NAME 16

bool glibc_highest(const uint8_t *bytes, size_t size, unsigned *minor)
{
    static const char prefix[] = "GLIBC_2.";
    const size_t length = sizeof prefix - 1;
    bool found = false;
    for (const uint8_t *at = bytes, *end = bytes + size; (size_t)(end - at) > length;) {
        at = memchr(at, 'G', (size_t)(end - at) - length);
        if (!at)
            break;
        if (memcmp(at++, prefix, length) != 0)
            continue;
        unsigned number = 0;
        const uint8_t *digit = at + length - 1;
        for (int i = 0; i < 4 && digit < end && *digit >= '0' && *digit <= '9'; i++, digit++)
            number = number * 10 + (unsigned)(*digit - '0');
        if (digit > at + length - 1 && (!found || number > *minor)) {
            *minor = number;
            found = true;
        }
    }
    return found;
}

/* A 32-bit library may stand in the first folder: the one that counts is made like this launcher. */
static bool is_alike(handle library, handle self)
{
    uint8_t theirs[ELF_HEAD], ours[ELF_HEAD];
    size_t got;
    if (file_read(library, theirs, ELF_HEAD, 0, &got) != 0 || got != ELF_HEAD)
        return false;
    if (file_read(self, ours, ELF_HEAD, 0, &got) != 0 || got != ELF_HEAD)
        return true; /* cannot be told */
    return memcmp(theirs, ours, 5) == 0 && memcmp(theirs + 18, ours + 18, 2) == 0;
}

static bool scan(handle library, unsigned *minor)
{
    uint8_t *bytes = memory_raw(CHUNK);
    bool found = false;
    size_t got = CHUNK;
    for (uint64_t offset = 0; got == CHUNK; offset += CHUNK - LONGEST_NAME) {
        unsigned here = 0;
        if (file_read(library, bytes, CHUNK, offset, &got) != 0)
            break;
        if (glibc_highest(bytes, got, &here) && (!found || here > *minor)) {
            *minor = here;
            found = true;
        }
    }
    memory_free(bytes);
    return found;
}

bool system_version(const char *part, handle self, unsigned *major, unsigned *minor)
{
    static const char *const places[] = {
        "/lib/" GLIBC_TRIPLE "/libc.so.6", "/usr/lib/" GLIBC_TRIPLE "/libc.so.6", "/lib64/libc.so.6",
        "/usr/lib64/libc.so.6",            "/lib/libc.so.6",                      "/usr/lib/libc.so.6",
    };
    if (strcmp(part, "glibc") != 0)
        return false;
    *major = 2;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        handle library;
        if (file_open(places[i], &library) != 0)
            continue;
        bool found = is_alike(library, self) && scan(library, minor);
        file_close(library);
        if (found)
            return true;
    }
    return false;
}
