/* SPDX-License-Identifier: MIT */
/* A sink that writes the members into a new tree. */
#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "exit_codes.h"
#include "format/sink.h"
#include "unpack/sinks.h"

struct writer {
    struct sink sink;
    struct tree *tree;
    handle file;
};

static int check_result(struct fault *fault, oserr error, const char *path)
{
    if (!error)
        return EXIT_FINE;
    if (system_classify(error) == CLASS_EXISTS)
        return fault_set(fault, EXIT_PAYLOAD, BUILD_AGAIN, "this file holds %s twice", path);
    if (system_classify(error) == CLASS_UNSUPPORTED)
        return fault_set(fault, EXIT_PAYLOAD,
                         "the program has to be built again, without that file or with a plain file of another name: ask "
                         "whoever made it",
                         "this file holds %s, and this system has no files of that name or kind", path);
    return fault_set(fault, TRY_NEXT_CACHE, "", "%s while writing %s", system_text(error), path);
}

static int write_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault)
{
    struct writer *writer = (struct writer *)sink;
    (void)size;
    return check_result(fault, tree_file(writer->tree, path, executable, &writer->file), path);
}

static int write_data(struct sink *sink, const uint8_t *bytes, size_t size, struct fault *fault)
{
    struct writer *writer = (struct writer *)sink;
    return check_result(fault, tree_write(writer->file, bytes, size), "a file");
}

static int write_end(struct sink *sink, struct fault *fault)
{
    struct writer *writer = (struct writer *)sink;
    oserr error = tree_close_file(writer->file);
    writer->file = NO_HANDLE;
    return check_result(fault, error, "the end of a file");
}

static int write_link(struct sink *sink, const char *path, const char *target, struct fault *fault)
{
    return check_result(fault, tree_link(((struct writer *)sink)->tree, path, target), path);
}

static int write_folder(struct sink *sink, const char *path, struct fault *fault)
{
    return check_result(fault, tree_folder(((struct writer *)sink)->tree, path), path);
}

static void write_close(struct sink *sink)
{
    struct writer *writer = (struct writer *)sink;
    file_close(writer->file);
    tree_close(writer->tree);
    memory_free(writer);
}

struct sink *writing_sink(const struct sink_maker *maker, struct fault *fault)
{
    struct tree *tree;
    if (check_result(fault, tree_open(maker->folder, &tree), maker->folder))
        return NULL;
    tree_make_read_only(tree);
    struct writer *writer = memory(1, sizeof *writer);
    writer->sink = (struct sink){maker->members, write_file, write_data, write_end, write_link, write_folder, write_close};
    writer->tree = tree;
    writer->file = NO_HANDLE;
    return &writer->sink;
}
