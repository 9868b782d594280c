/* SPDX-License-Identifier: MIT */
/* Reads the local entries of app.zip, all of them stored. A function of memory alone. */
#ifndef PYPACK_FORMAT_ZIP_H
#define PYPACK_FORMAT_ZIP_H

#include "base/report.h"
#include "base/text.h"

#define ZIP_HEADER_MOST (30 + 2 * 65535)

struct zip_entry {
    struct text path;   /* without the "/" that ends a folder's name */
    struct text target; /* of a symbolic link, else empty */
    uint64_t size;
    size_t header;      /* bytes before the content */
    bool executable;
    bool folder;
    bool link;
};

/* Read the entry that begins at `bytes`; fewer than ZIP_HEADER_MOST bytes are given only at the end of the entries. */
int zip_read(const uint8_t *bytes, size_t size, struct zip_entry *entry, struct fault *fault);
void zip_free(struct zip_entry *entry);

#endif
