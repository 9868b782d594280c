/* SPDX-License-Identifier: MIT */
/* The launcher: find the bundle, then start it or do what PYPACK_SELF says. */
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "exit_codes.h"
#include "format/trailer.h"
#include "self.h"
#include "shim.h"
#include "start.h"
#include "unpack/bundle_file.h"

#define TAIL ((size_t)4 << 10) /* what most trailers fit into */

static bool is_on(const char *variable)
{
    const char *value = system_variable(variable);
    return value && *value && strcmp(value, "0") != 0;
}

/* Read the last `most` bytes of the payload, or all of it where it is smaller, into a new `*tail` of `*size` bytes. */
static int read_tail(struct launcher *launcher, size_t most, uint8_t **tail, size_t *size)
{
    const struct payload *payload = &launcher->payload;
    memory_free(*tail);
    *size = payload->size < most ? (size_t)payload->size : most;
    *tail = memory_raw(*size);
    return bundle_read(launcher->file, *tail, *size, payload->base + payload->size - *size, &launcher->fault);
}

static int read_trailer(struct launcher *launcher, uint64_t file_size)
{
    const struct payload *payload = &launcher->payload;
    const char *why = system_payload(launcher->file, file_size, &launcher->payload);
    if (why)
        return fault_set(&launcher->fault, EXIT_NO_BUNDLE, "copy or download the file again",
                         "this file holds no program: %s", why);
    uint8_t *tail = NULL;
    size_t part = 0;
    int code = read_tail(launcher, TAIL, &tail, &part);
    if (code == EXIT_FINE && trailer_size(tail, part) > part && trailer_size(tail, part) <= TRAILER_MOST)
        code = read_tail(launcher, trailer_size(tail, part), &tail, &part);
    if (code == EXIT_FINE)
        code = trailer_read(tail, part, payload->size, &launcher->bundle, &launcher->fault);
    if (code == EXIT_FINE)
        bundle_set_base(&launcher->bundle, payload->base);
    memory_free(tail);
    return code;
}

/* The first way of finding ourselves may lead to somebody who started us (an emulator): then the next one is tried. */
static int find_bundle(struct launcher *launcher)
{
    uint64_t size = 0;
    oserr error = 0;
    int code = EXIT_NO_SELF;
    for (unsigned way = 0; system_self(way, &launcher->path, &launcher->file, &size, &error); way++) {
        if (error) {
            if (code == EXIT_NO_SELF)
                fault_set(&launcher->fault, EXIT_NO_SELF,
                          "start the program by its full path; it must be readable, and /proc should be mounted",
                          "this program cannot read its own file: %s", system_text(error));
            continue;
        }
        report_debug(&launcher->report, "bundle %s, %llu bytes", text_of(&launcher->path), (unsigned long long)size);
        code = read_trailer(launcher, size);
        launcher->is_shim = code == EXIT_NO_BUNDLE && shim_is_one(launcher);
        if (code != EXIT_NO_BUNDLE || launcher->is_shim)
            return code;
        file_close(launcher->file);
        launcher->file = NO_HANDLE;
    }
    return code;
}

static int run(struct launcher *launcher)
{
    int code = find_bundle(launcher);
    if (launcher->is_shim)
        return shim_start(launcher);
    if (code)
        return code;
    const struct bundle *bundle = &launcher->bundle;
    launcher->report.name = bundle->launch.name;
    memory_set_program(launcher->report.name);
    report_debug(&launcher->report, "%s %s for %s, id %s", bundle->launch.name,
                 bundle->launch.version ? bundle->launch.version : "", bundle->launch.target, bundle->id);
    const char *word = system_variable("PYPACK_SELF");
    if (word && *word && !bundle->launch.no_self)
        return self_command(launcher, word);
    return is_on("PYPACK_DRYRUN") ? start_dry(launcher) : start_program(launcher);
}

int main(int argc, char **argv)
{
    static char nameless[] = "pypack-launcher";
    static char *no_words[] = {nameless, NULL};
    struct launcher launcher = {.file = NO_HANDLE, .app_lock = NO_HANDLE};
    launcher.words = argc > 0 ? argv : no_words;
    launcher.called = system_called_as(launcher.words[0]);
    launcher.report.name = path_name(launcher.words[0]);
    memory_set_program(launcher.report.name);
    launcher.report.debug = is_on("PYPACK_DEBUG");
    launcher.report.began = launcher.report.debug ? system_clock() : 0;
    int code = run(&launcher);
    if (code)
        report_fault(&launcher.report, &launcher.fault);
    file_close(launcher.file);
    bundle_free(&launcher.bundle);
    fault_clear(&launcher.fault);
    text_free(&launcher.path);
    return code;
}
