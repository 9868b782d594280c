/* SPDX-License-Identifier: MIT */
/*
 * Small blocks come from a fixed arena: a warm start then needs no system call for memory (an allocator of its own
 * asked for 18). What is freed there is not used again, except the block that was made last; when the arena is full,
 * and for big blocks, it is malloc.
 */
#include "base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "exit_codes.h"

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

static const char *program = "this program";

void memory_set_program(const char *name)
{
    program = name;
}

/* Without any memory, so without text.c. */
_Noreturn void memory_report_none(void)
{
    static const char block[] = ": the system has no more memory for it\n"
                                "  -> end other programs, then start it again\n"
                                "  (exit code 107)\n";
    system_show_error(program, strlen(program));
    system_show_error(block, sizeof block - 1);
    exit(EXIT_MEMORY);
}

static bool is_in_arena(const union unit *unit)
{
    return (uintptr_t)unit >= (uintptr_t)arena && (uintptr_t)unit < (uintptr_t)(arena + MEMORY_ARENA / UNIT);
}

static union unit *take_from_arena(size_t units)
{
    size_t at = atomic_load(&used);
    do {
        if (units > SMALL / UNIT || units > MEMORY_ARENA / UNIT - at)
            return NULL;
    } while (!atomic_compare_exchange_weak(&used, &at, at + units));
    return arena + at;
}

static void *allocate_block(size_t size)
{
    size_t units = (size + UNIT - 1) / UNIT + 1;
    union unit *unit = size > SIZE_MAX / 2 ? NULL : take_from_arena(units);
    if (!unit && size <= SIZE_MAX / 2)
        unit = malloc(units * UNIT);
    if (!unit)
        memory_report_none();
    unit->size = size;
    return unit + 1;
}

static size_t multiply(size_t count, size_t unit_size)
{
    if (unit_size && count > SIZE_MAX / 2 / unit_size)
        memory_report_none();
    return count * unit_size;
}

void *memory(size_t count, size_t unit_size)
{
    size_t size = multiply(count, unit_size);
    return memset(allocate_block(size), 0, size);
}

void *memory_raw(size_t size)
{
    return allocate_block(size);
}

void *memory_grown(void *old, size_t count, size_t unit_size)
{
    size_t size = multiply(count, unit_size);
    void *block = allocate_block(size);
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
