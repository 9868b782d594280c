/* SPDX-License-Identifier: MIT */
/*
 * Small blocks come from a fixed arena: a warm start then needs no system call for memory (an allocator of its own
 * asked for 18). What is freed there is not used again, except the block that was made last; when the arena is full,
 * and for big blocks, it is malloc.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#ifndef MEMORY_ARENA
#define MEMORY_ARENA ((size_t)256 << 10) /* 0 in builds with a sanitizer, which then sees each block */
#endif
#define SMALL ((size_t)72 << 10) /* the end of the bundle, read in one piece, is the largest */
#define UNIT sizeof(union unit)

/* In front of each block stands its size. */
union unit {
    size_t size;
    max_align_t align;
};

static union unit arena[MEMORY_ARENA / UNIT + 1];
static atomic_size_t used; /* in units */

static bool is_in_arena(const union unit *unit)
{
    return (uintptr_t)unit >= (uintptr_t)arena && (uintptr_t)unit < (uintptr_t)(arena + MEMORY_ARENA / UNIT);
}

static union unit *from_arena(size_t units)
{
    size_t at = atomic_load(&used);
    do {
        if (units > SMALL / UNIT || units > MEMORY_ARENA / UNIT - at)
            return NULL;
    } while (!atomic_compare_exchange_weak(&used, &at, at + units));
    return arena + at;
}

static void *block_of(size_t size)
{
    size_t units = (size + UNIT - 1) / UNIT + 1;
    union unit *unit = size > SIZE_MAX / 2 ? NULL : from_arena(units);
    if (!unit && size <= SIZE_MAX / 2)
        unit = malloc(units * UNIT);
    if (!unit)
        report_no_memory();
    unit->size = size;
    return unit + 1;
}

static size_t product(size_t count, size_t each)
{
    if (each && count > SIZE_MAX / 2 / each)
        report_no_memory();
    return count * each;
}

void *memory(size_t count, size_t each)
{
    size_t size = product(count, each);
    return memset(block_of(size), 0, size);
}

void *memory_raw(size_t size)
{
    return block_of(size);
}

void *memory_grown(void *old, size_t count, size_t each)
{
    size_t size = product(count, each);
    void *block = block_of(size);
    if (old) {
        size_t before = ((union unit *)old - 1)->size;
        memcpy(block, old, before < size ? before : size);
        memory_free(old);
    }
    return block;
}

void memory_free(void *block)
{
    if (!block)
        return;
    union unit *unit = (union unit *)block - 1;
    if (!is_in_arena(unit)) {
        free(unit);
        return;
    }
    size_t begin = (size_t)(unit - arena), end = begin + 1 + (unit->size + UNIT - 1) / UNIT;
    atomic_compare_exchange_strong(&used, &end, begin);
}
