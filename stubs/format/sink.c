/* SPDX-License-Identifier: MIT */
#include "format/sink.h"

#include <string.h>

#include "base/report.h"
#include "base/text.h"
#include "exit_codes.h"

static int refuse(struct fault *fault, const char *path)
{
    return fault_set(fault, EXIT_PAYLOAD, "do not use this file; get it again from a source that you trust",
                     "this file holds a member that leaves its folder: %s", path);
}

static void note_member(struct members *members, const char *path)
{
    if (!members)
        return;
    while (atomic_flag_test_and_set(&members->busy))
        continue; /* another thread copies a name */
    text_add_bytes(&members->names, path, strlen(path) + 1);
    atomic_flag_clear(&members->busy);
}

int sink_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault)
{
    if (!path_stays_inside(path))
        return refuse(fault, path);
    note_member(sink->members, path);
    return sink->file(sink, path, executable, size, fault);
}

int sink_link(struct sink *sink, const char *path, const char *target, struct fault *fault)
{
    if (!path_stays_inside(path) || !link_stays_inside(path, target))
        return refuse(fault, path);
    note_member(sink->members, path);
    return sink->link(sink, path, target, fault);
}

int sink_folder(struct sink *sink, const char *path, struct fault *fault)
{
    if (!path_stays_inside(path))
        return refuse(fault, path);
    note_member(sink->members, path);
    return sink->folder(sink, path, fault);
}
