/* SPDX-License-Identifier: MIT */
#include "format/frames.h"

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/report.h"
#include "base/sha256.h"
#include "exit_codes.h"
#include "format/layer.h"

#define SKIPPABLE_HEAD 8 /* RFC 8878, 3.1.2: magic and size */
#define SKIPPABLE_MAGIC UINT32_C(0x184D2A50)
#define TABLE_HEAD 8
#define ROW 44
#define CARRIES_ON 1

static const uint8_t head[TABLE_HEAD] = {'P', 'Y', 'P', 'K', 'L', 'Y', 'R', 1};

static int report_damage(const struct layer *layer, const char *why, struct fault *fault)
{
    return fault_set(fault, EXIT_PAYLOAD, "copy or download the file again", "the %s part of this file is damaged: %s",
                     layer_name(layer->kind), why);
}

uint64_t frames_table_size(const struct layer *layer)
{
    uint64_t size = SKIPPABLE_HEAD + TABLE_HEAD + (uint64_t)layer->frames * ROW;
    return size <= layer->size ? size : 0;
}

/* The identity covers what is unpacked only: sizes, flags and hashes of the frames, in their order. */
static bool has_right_identity(const uint8_t *rows, const struct layer *layer)
{
    uint8_t digest[SHA256_SIZE];
    struct sha256 hash;
    sha256_begin(&hash);
    for (uint32_t i = 0; i < layer->frames; i++)
        sha256_add(&hash, rows + (size_t)i * ROW + 4, ROW - 4);
    sha256_end(&hash, digest);
    return memcmp(digest, layer->identity, sizeof digest) == 0;
}

static bool row_is_sound(const struct frame *frame, uint32_t flags, bool first)
{
    return frame->packed > 0 && frame->packed <= FRAME_PACKED_MOST && frame->unpacked > 0 &&
           frame->unpacked <= FRAME_MOST && (flags & ~(uint32_t)CARRIES_ON) == 0 && !(first && frame->continues_member);
}

int frames_read(const uint8_t *bytes, const struct layer *layer, struct frames *frames, struct fault *fault)
{
    *frames = (struct frames){0};
    uint64_t size = frames_table_size(layer);
    if (!size || le32(bytes) != SKIPPABLE_MAGIC || le32(bytes + 4) != size - SKIPPABLE_HEAD ||
        memcmp(bytes + SKIPPABLE_HEAD, head, sizeof head) != 0)
        return report_damage(layer, "it does not begin with its frame table", fault);
    const uint8_t *row = bytes + SKIPPABLE_HEAD + TABLE_HEAD;
    if (!has_right_identity(row, layer))
        return report_damage(layer, "SHA-256 mismatch of its frame table", fault);
    uint64_t packed = size, unpacked = 0;
    frames->list = memory(layer->frames, sizeof *frames->list);
    for (; frames->count < layer->frames; frames->count++, row += ROW) {
        struct frame *frame = &frames->list[frames->count];
        *frame = (struct frame){layer->offset + packed, le32(row), le32(row + 4), le32(row + 8) & CARRIES_ON, row + 12};
        if (!row_is_sound(frame, le32(row + 8), frames->count == 0) || frame->packed > layer->size - packed) {
            frames_free(frames);
            return report_damage(layer, "its frame table is senseless", fault);
        }
        packed += frame->packed;
        unpacked += frame->unpacked;
        if (frame->packed > frames->packed_most)
            frames->packed_most = frame->packed;
        if (frame->unpacked > frames->unpacked_most)
            frames->unpacked_most = frame->unpacked;
    }
    if (packed == layer->size && unpacked == layer->unpacked)
        return EXIT_FINE;
    frames_free(frames);
    return report_damage(layer, "its frames do not add up to it", fault);
}

void frames_free(struct frames *frames)
{
    memory_free(frames->list);
    *frames = (struct frames){0};
}
