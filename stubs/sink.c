/* SPDX-License-Identifier: MIT */
#include "sink.h"


#include "exit_codes.h"
#include "system.h"

static int refused(struct fault *fault, const char *path)
{
    return fault_set(fault, EXIT_PAYLOAD, "do not use this file; get it again from a source that you trust",
                     "the bundle holds a member that leaves its folder: %s", path);
}

int sink_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault)
{
    return path_stays_inside(path) ? sink->file(sink, path, executable, size, fault) : refused(fault, path);
}

int sink_link(struct sink *sink, const char *path, const char *target, struct fault *fault)
{
    if (!path_stays_inside(path) || !link_stays_inside(path, target))
        return refused(fault, path);
    return sink->link(sink, path, target, fault);
}

int sink_folder(struct sink *sink, const char *path, struct fault *fault)
{
    return path_stays_inside(path) ? sink->folder(sink, path, fault) : refused(fault, path);
}

/* ---- into a new tree ---- */

struct writer {
    struct sink sink;
    struct tree *tree;
    handle file;
};

static int told(struct fault *fault, oserr error, const char *path)
{
    if (!error)
        return EXIT_FINE;
    if (system_meaning(error) == MEANS_EXISTS)
        return fault_set(fault, EXIT_PAYLOAD, "build the bundle again", "the bundle holds %s twice", path);
    if (system_meaning(error) == MEANS_NO_SUCH)
        return fault_set(fault, EXIT_PAYLOAD, "build the bundle again without that file, or with a plain file of another name",
                         "the bundle holds %s, and this system has no files of that name or kind", path);
    return fault_set(fault, EXIT_PLACE, "", "%s while writing %s", system_text(error), path);
}

static int write_file(struct sink *sink, const char *path, bool executable, uint64_t size, struct fault *fault)
{
    struct writer *writer = (struct writer *)sink;
    (void)size;
    return told(fault, tree_file(writer->tree, path, executable, &writer->file), path);
}

static int write_data(struct sink *sink, const uint8_t *bytes, size_t size, struct fault *fault)
{
    struct writer *writer = (struct writer *)sink;
    return told(fault, tree_write(writer->file, bytes, size), "a file");
}

static int write_end(struct sink *sink, struct fault *fault)
{
    struct writer *writer = (struct writer *)sink;
    (void)fault;
    file_close(writer->file);
    writer->file = NO_HANDLE;
    return EXIT_FINE;
}

static int write_link(struct sink *sink, const char *path, const char *target, struct fault *fault)
{
    return told(fault, tree_link(((struct writer *)sink)->tree, path, target), path);
}

static int write_folder(struct sink *sink, const char *path, struct fault *fault)
{
    return told(fault, tree_folder(((struct writer *)sink)->tree, path), path);
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
    if (told(fault, tree_open(maker->folder, &tree), maker->folder))
        return NULL;
    struct writer *writer = memory(1, sizeof *writer);
    writer->sink = (struct sink){write_file, write_data, write_end, write_link, write_folder, write_close};
    writer->tree = tree;
    writer->file = NO_HANDLE;
    return &writer->sink;
}
