/* SPDX-License-Identifier: MIT */
#include "base/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "base/text.h"
#include "exit_codes.h"

#define MILLISECOND UINT64_C(1000000)
#define STAMP_EVERY (5000 * MILLISECOND)
#define BAR 20 /* columns */

int fault_set(struct fault *fault, int code, const char *remedy, const char *format, ...)
{
    struct text what = {0};
    va_list values;
    va_start(values, format);
    text_vformat(&what, format, values);
    va_end(values);
    fault_clear(fault);
    fault->code = code;
    fault->what = what;
    text_add(&fault->remedy, remedy);
    return code;
}

void fault_clear(struct fault *fault)
{
    text_free(&fault->what);
    text_free(&fault->remedy);
    fault->code = EXIT_FINE;
}

void report_fault(const struct report *report, const struct fault *fault)
{
    struct text block = {0};
    text_format(&block, "%s: %s\n", report->name, text_of(&fault->what));
    if (fault->remedy.size)
        text_format(&block, "  -> %s\n", text_of(&fault->remedy));
    text_format(&block, "  (exit code %d)\n", fault->code);
    system_show_error(block.data, block.size);
    text_free(&block);
}

void report_debug(const struct report *report, const char *format, ...)
{
    if (!report->debug)
        return;
    uint64_t spent = (system_clock() - report->began) / 1000;
    struct text line = {0};
    text_format(&line, "pypack %3u.%03u ms  ", (unsigned)(spent / 1000), (unsigned)(spent % 1000));
    va_list values;
    va_start(values, format);
    text_vformat(&line, format, values);
    va_end(values);
    text_add(&line, "\n");
    system_write_error(line.data, line.size);
    text_free(&line);
}

void progress_begin(struct progress *progress, const struct report *report, const char *doing, uint64_t total)
{
    progress->report = report;
    progress->doing = doing;
    progress->total = total;
    atomic_init(&progress->done, 0);
    progress->began = system_clock();
    progress->shown = 0;
    progress->lock = NO_HANDLE;
    progress->stamped = progress->began;
    progress->terminal = system_is_terminal();
}

static void add_bar(struct text *line, uint64_t done, uint64_t total)
{
    unsigned full = done < total ? (unsigned)(done * BAR / total) : BAR;
    text_add(line, " [");
    for (unsigned i = 0; i < BAR; i++)
        text_add(line, i < full ? "#" : ".");
    text_format(line, "] %u%%", done < total ? (unsigned)(done * 100 / total) : 100);
}

void progress_show(struct progress *progress)
{
    if (!progress->terminal && progress->lock == NO_HANDLE)
        return;
    uint64_t now = system_clock();
    if (progress->lock != NO_HANDLE && now - progress->stamped > STAMP_EVERY) {
        lock_touch(progress->lock);
        progress->stamped = now;
    }
    if (!progress->terminal)
        return;
    if (now - progress->began < 500 * MILLISECOND || now - progress->shown < 100 * MILLISECOND)
        return;
    progress->shown = now;
    struct text line = {0};
    text_format(&line, "\r\033[K%s: %s", progress->report->name, progress->doing);
    if (progress->total)
        add_bar(&line, atomic_load(&progress->done), progress->total);
    system_write_error(line.data, line.size);
    text_free(&line);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        system_write_error("\r\033[K", 4);
    progress->shown = 0;
}
