/* SPDX-License-Identifier: MIT */
#include "format/tar.h"

#include <string.h>

#include "base/report.h"
#include "base/text.h"
#include "exit_codes.h"
#include "format/sink.h"

#define BLOCK 512
#define LONG_MOST 65536

struct header {
    char name[101], target[101];
    uint64_t size;
    uint64_t mode;
    char kind;
};

static int report_damage(struct fault *fault, const char *why)
{
    return fault_set(fault, EXIT_PAYLOAD, BUILD_AGAIN, "this file cannot be read: %s", why);
}

/* Octal text, or base 256 when the first bit is set (GNU tar, "Extensions"). */
static bool read_number(const uint8_t *at, size_t size, uint64_t *value)
{
    *value = 0;
    if (at[0] & 0x80) {
        if (at[0] != 0x80)
            return false;
        for (size_t i = 1; i < size; i++) {
            if (*value >> 55)
                return false;
            *value = *value << 8 | at[i];
        }
        return true;
    }
    size_t i = 0;
    while (i < size && at[i] == ' ')
        i++;
    for (; i < size && at[i] >= '0' && at[i] <= '7'; i++)
        *value = *value << 3 | (uint64_t)(at[i] - '0');
    return i == size || at[i] == '\0' || at[i] == ' ';
}

static bool has_right_sum(const uint8_t *block)
{
    uint64_t stated, sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : block[i];
    return read_number(block + 148, 8, &stated) && stated == sum;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static bool read_header(const uint8_t *block, struct header *header)
{
    *header = (struct header){.kind = (char)block[156]};
    memcpy(header->name, block, 100);
    memcpy(header->target, block + 157, 100);
    return has_right_sum(block) && read_number(block + 100, 8, &header->mode) && read_number(block + 124, 12, &header->size) &&
           memcmp(block + 257, "ustar  ", 8) == 0 && (strchr("0LK", header->kind) || header->size == 0);
}

/* A long name or link target: its content stands whole in the same piece. Returns how much of it was used, 0 if not. */
static size_t read_long(struct text *into, const uint8_t *bytes, size_t size, uint64_t wanted)
{
    if (wanted == 0 || wanted > LONG_MOST || into->size)
        return 0;
    size_t padded = ((size_t)wanted + BLOCK - 1) / BLOCK * BLOCK;
    if (padded > size)
        return 0;
    const uint8_t *end = memchr(bytes, 0, (size_t)wanted);
    text_add_bytes(into, bytes, end ? (size_t)(end - bytes) : (size_t)wanted);
    return padded;
}

static int start_member(struct tar *tar, const struct header *header, struct fault *fault)
{
    struct text path = tar->path, target = tar->target;
    tar->path = tar->target = (struct text){0};
    if (!path.size)
        text_add(&path, header->name);
    if (!target.size)
        text_add(&target, header->target);
    int code;
    if (header->kind == '0') {
        tar->in_file = true;
        tar->left = header->size;
        tar->padding = (unsigned)((BLOCK - header->size % BLOCK) % BLOCK);
        code = sink_file(tar->sink, path.data, (header->mode & 0111) != 0, header->size, fault);
    } else if (header->kind == '2') {
        code = sink_link(tar->sink, path.data, target.data, fault);
    } else if (header->kind == '5') {
        if (path.size && path.data[path.size - 1] == '/')
            path.data[--path.size] = '\0';
        code = sink_folder(tar->sink, path.data, fault);
    } else {
        code = report_damage(fault, "it holds a member of an unknown kind");
    }
    text_free(&path);
    text_free(&target);
    return code;
}

static int take_content(struct tar *tar, const uint8_t **bytes, size_t *size, struct fault *fault)
{
    size_t part = tar->left < *size ? (size_t)tar->left : *size;
    int code = part ? tar->sink->data(tar->sink, *bytes, part, fault) : EXIT_FINE;
    if (code)
        return code;
    tar->left -= part;
    *bytes += part;
    *size -= part;
    if (tar->left)
        return EXIT_FINE;
    size_t skip = tar->padding < *size ? tar->padding : *size;
    tar->padding -= (unsigned)skip;
    *bytes += skip;
    *size -= skip;
    if (tar->padding)
        return EXIT_FINE;
    tar->in_file = false;
    return tar->sink->end(tar->sink, fault);
}

static int take_header(struct tar *tar, const uint8_t **bytes, size_t *size, struct fault *fault)
{
    struct header header;
    if (*size < BLOCK)
        return report_damage(fault, "a header is cut");
    if (is_zero(*bytes, BLOCK)) {
        tar->ended = true;
        return EXIT_FINE;
    }
    if (!read_header(*bytes, &header))
        return report_damage(fault, "a header is damaged");
    *bytes += BLOCK;
    *size -= BLOCK;
    if (header.kind != 'L' && header.kind != 'K')
        return start_member(tar, &header, fault);
    size_t used = read_long(header.kind == 'L' ? &tar->path : &tar->target, *bytes, *size, header.size);
    if (!used)
        return report_damage(fault, "a long name is damaged");
    *bytes += used;
    *size -= used;
    return EXIT_FINE;
}

int tar_take(struct tar *tar, const uint8_t *bytes, size_t size, struct fault *fault)
{
    while (size && !tar->ended) {
        int code = tar->in_file ? take_content(tar, &bytes, &size, fault) : take_header(tar, &bytes, &size, fault);
        if (code)
            return code;
    }
    /* a file without content ends with its header */
    if (tar->in_file && !tar->left && !tar->padding)
        return take_content(tar, &bytes, &size, fault);
    return is_zero(bytes, size) ? EXIT_FINE : report_damage(fault, "something stands behind its end");
}

int tar_finish(struct tar *tar, struct fault *fault)
{
    if (tar->in_file || tar->path.size || tar->target.size)
        return report_damage(fault, "it is cut inside of a member");
    return EXIT_FINE;
}

void tar_free(struct tar *tar)
{
    text_free(&tar->path);
    text_free(&tar->target);
}
