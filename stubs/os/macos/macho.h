/* SPDX-License-Identifier: MIT */
/*
 * Where the payload lies in a Mach-O file, thin or fat: in section __payload of segment __PYPACK (Apple's mach-o/loader.h and
 * mach-o/fat.h give the format). Reading is a function of what `read` gives, so that it is tested on any system.
 */
#ifndef PYPACK_OS_MACOS_MACHO_H
#define PYPACK_OS_MACOS_MACHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHO_X86_64 UINT32_C(0x01000007)
#define MACHO_ARM64 UINT32_C(0x0100000c)

struct macho_source {
    bool (*read)(void *from, void *bytes, size_t size, uint64_t offset); /* all of it, or false */
    void *from;
    uint64_t size;
};

/*
 * `base` and `size` tell where the section is in the file; both are 0 where it is empty. In a fat file the slice for
 * `processor` is taken. Gives NULL, or what is wrong with the file.
 */
const char *macho_payload(const struct macho_source *source, uint32_t processor, uint64_t *base, uint64_t *size);

#endif
