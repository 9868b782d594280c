/* SPDX-License-Identifier: MIT */
/* Sinks that write nothing: one compares with a tree that stands, one only lets the members pass. */
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "exit_codes.h"
#include "format/sink.h"
#include "unpack/sinks.h"

#define COMPARED (size_t)(64 * 1024)

struct comparer {
    struct sink sink;
    const char *folder;
    handle file;
    char *path;
    uint64_t offset;
};

static int report_difference(struct fault *fault, const char *path)
{
    return fault_set(fault, EXIT_DAMAGED, "", "%s is missing or is not what the bundle holds", path);
}

static int compare_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault)
{
    struct comparer *comparer = (struct comparer *)sink;
    struct file_info info;
    char *whole = path_join(comparer->folder, path, NULL);
    bool same = file_stat(whole, false, &info) == 0 && info.kind == KIND_FILE && info.size == size &&
                (info.executable == executable || !system_has_modes()) && file_open(whole, &comparer->file) == 0;
    memory_free(whole);
    memory_free(comparer->path);
    comparer->path = text_copy(path, strlen(path));
    comparer->offset = 0;
    return same ? EXIT_FINE : report_difference(fault, path);
}

static int compare_data(struct sink *sink, const uint8_t *bytes, size_t size, struct fault *fault)
{
    struct comparer *comparer = (struct comparer *)sink;
    uint8_t *actual = memory_raw(COMPARED);
    bool same = true;
    while (same && size) {
        size_t got, part = size < COMPARED ? size : COMPARED;
        same = file_read(comparer->file, actual, part, comparer->offset, &got) == 0 && got == part &&
               memcmp(actual, bytes, part) == 0;
        comparer->offset += part;
        bytes += part;
        size -= part;
    }
    memory_free(actual);
    return same ? EXIT_FINE : report_difference(fault, comparer->path);
}

static int compare_end(struct sink *sink, struct fault *fault)
{
    struct comparer *comparer = (struct comparer *)sink;
    (void)fault;
    file_close(comparer->file);
    comparer->file = NO_HANDLE;
    return EXIT_FINE;
}

static int compare_link(struct sink *sink, const char *path, const char *target, struct fault *fault)
{
    char *whole = path_join(((struct comparer *)sink)->folder, path, NULL);
    struct text actual = {0};
    bool same = file_read_link(whole, &actual) == 0 && strcmp(text_of(&actual), target) == 0;
    text_free(&actual);
    memory_free(whole);
    return same ? EXIT_FINE : report_difference(fault, path);
}

static int compare_folder(struct sink *sink, const char *path, struct fault *fault)
{
    char *whole = path_join(((struct comparer *)sink)->folder, path, NULL);
    struct file_info info;
    bool same = file_stat(whole, false, &info) == 0 && info.kind == KIND_FOLDER;
    memory_free(whole);
    return same ? EXIT_FINE : report_difference(fault, path);
}

static void compare_close(struct sink *sink)
{
    struct comparer *comparer = (struct comparer *)sink;
    file_close(comparer->file);
    memory_free(comparer->path);
    memory_free(comparer);
}

struct sink *comparing_sink(const struct sink_maker *maker, struct fault *fault)
{
    (void)fault;
    struct comparer *comparer = memory(1, sizeof *comparer);
    comparer->sink =
        (struct sink){maker->members, compare_file, compare_data, compare_end, compare_link, compare_folder, compare_close};
    comparer->folder = maker->folder;
    comparer->file = NO_HANDLE;
    return &comparer->sink;
}

static int pass_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault)
{
    (void)sink, (void)path, (void)executable, (void)size, (void)fault;
    return EXIT_FINE;
}

static int pass_data(struct sink *sink, const uint8_t *bytes, size_t size, struct fault *fault)
{
    (void)sink, (void)bytes, (void)size, (void)fault;
    return EXIT_FINE;
}

static int pass_end(struct sink *sink, struct fault *fault)
{
    (void)sink, (void)fault;
    return EXIT_FINE;
}

static int pass_link(struct sink *sink, const char *path, const char *target, struct fault *fault)
{
    (void)sink, (void)path, (void)target, (void)fault;
    return EXIT_FINE;
}

static int pass_folder(struct sink *sink, const char *path, struct fault *fault)
{
    (void)sink, (void)path, (void)fault;
    return EXIT_FINE;
}

static void pass_close(struct sink *sink)
{
    memory_free(sink);
}

struct sink *checking_sink(const struct sink_maker *maker, struct fault *fault)
{
    (void)fault;
    struct sink *sink = memory(1, sizeof *sink);
    *sink = (struct sink){maker->members, pass_file, pass_data, pass_end, pass_link, pass_folder, pass_close};
    return sink;
}
