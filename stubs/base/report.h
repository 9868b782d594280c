/* SPDX-License-Identifier: MIT */
/* The one module that talks to people: errors, narration (PYPACK_DEBUG=1) and the progress line. */
#ifndef PYPACK_BASE_REPORT_H
#define PYPACK_BASE_REPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* What went wrong: the exit code, what happened, and what to do about it. */
struct fault {
    int code;
    struct text what;
    struct text remedy;
};

/* Whoever reads these messages has started a program; most have not made it. */
#define BUILD_AGAIN "the program has to be built again: ask whoever made it"

/* Who talks. `began` is in nanoseconds of the system's steady clock. */
struct report {
    const char *name;
    bool debug;
    uint64_t began;
};

/* A long job. `done` may be raised by any thread, progress_show is called by one. */
struct progress {
    const struct report *report;
    const char *doing;
    uint64_t total;
    atomic_uint_fast64_t done;
    uint64_t began;
    uint64_t shown;
    intptr_t lock;    /* stamped now and then, so that others see that its holder is at work; NO_HANDLE: none */
    uint64_t stamped;
    bool terminal;
};

/* Fill `fault` (it replaces what was there) and return `code`. */
int fault_set(struct fault *fault, int code, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void fault_clear(struct fault *fault);

void report_fault(const struct report *report, const struct fault *fault);
void report_debug(const struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

void progress_begin(struct progress *progress, const struct report *report, const char *doing, uint64_t total);
void progress_show(struct progress *progress);
void progress_end(struct progress *progress);

#endif
