/* SPDX-License-Identifier: MIT */
/* What a program needs of the system and of the cache folder, before anything is written. */
#include "cache/app_checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/report.h"
#include "base/system.h"
#include "cache/launcher.h"
#include "exit_codes.h"

/* "2.17" as two numbers; what does not begin like that is 0. */
static void read_version(const char *text, unsigned *major, unsigned *minor)
{
    char *rest;
    *major = (unsigned)strtoul(text, &rest, 10);
    *minor = *rest == '.' ? (unsigned)strtoul(rest + 1, NULL, 10) : 0;
}

int app_check_system(struct launcher *launcher)
{
    const struct {
        const char *part, *needed, *name, *remedy;
    } parts[] = {
        {"glibc", launcher->bundle.launch.glibc, "glibc",
         "use a newer system, or ask whoever made the program for one that runs here (linux-musl)"},
        {"macos", launcher->bundle.launch.macos, "macOS", "update macOS, or use a newer Mac"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        unsigned major, minor, least, and_least;
        if (!parts[i].needed || !system_version(parts[i].part, launcher->file, &major, &minor))
            continue;
        report_debug(&launcher->report, "%s %u.%u, needed %s", parts[i].name, major, minor, parts[i].needed);
        read_version(parts[i].needed, &least, &and_least);
        if (major < least || (major == least && minor < and_least))
            return fault_set(&launcher->fault, EXIT_OLD_SYSTEM, parts[i].remedy,
                             "this program needs %s %s or newer; this system has %u.%u", parts[i].name, parts[i].needed,
                             major, minor);
    }
    return EXIT_FINE;
}

int app_check_root(struct launcher *launcher)
{
    char part = system_list_separator();
    if (!strchr(launcher->root->path, part))
        return EXIT_FINE;
    return fault_set(&launcher->fault, TRY_NEXT_CACHE, "",
                     "its name holds \"%c\", which would part it in a list of folders", part);
}
