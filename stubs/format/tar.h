/* SPDX-License-Identifier: MIT */
/* Reads a GNU tar that comes in pieces, and hands its members to a sink. */
#ifndef PYPACK_FORMAT_TAR_H
#define PYPACK_FORMAT_TAR_H

#include "base/report.h"
#include "base/text.h"
#include "format/sink.h"

struct tar {
    struct sink *sink;
    uint64_t left;      /* of the current file's content */
    unsigned padding;   /* after it */
    bool in_file;
    bool ended;         /* the zero blocks have begun */
    struct text path;   /* a long name that belongs to the next member */
    struct text target; /* a long link target, likewise */
};

/* Take the next piece: it begins at a member's header, or inside the content where the piece before ended. */
int tar_take(struct tar *tar, const uint8_t *bytes, size_t size, struct fault *fault);
/* After the last piece: nothing may be half read. */
int tar_finish(struct tar *tar, struct fault *fault);
void tar_free(struct tar *tar);

#endif
