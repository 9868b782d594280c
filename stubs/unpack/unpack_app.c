/* SPDX-License-Identifier: MIT */
#include "unpack/unpack_app.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/sha256.h"
#include "base/system.h"
#include "exit_codes.h"
#include "format/layer.h"
#include "format/sink.h"
#include "format/zip.h"
#include "unpack/bundle_file.h"

#define WINDOW ((size_t)1 << 20) /* more than ZIP_HEADER_MOST */

/* A window that moves over the local entries; each byte is hashed as it is read. */
struct window {
    handle bundle;
    uint64_t offset; /* in the bundle, of what is read next */
    uint64_t left;   /* not yet read */
    struct sha256 hash;
    uint8_t *bytes;
    size_t from, to;
};

static int fill_window(struct window *window, struct fault *fault)
{
    size_t kept = window->to - window->from;
    memmove(window->bytes, window->bytes + window->from, kept);
    window->from = 0;
    window->to = kept;
    size_t part = WINDOW - kept < window->left ? WINDOW - kept : (size_t)window->left;
    int code = part ? bundle_read(window->bundle, window->bytes + kept, part, window->offset, fault) : EXIT_FINE;
    if (code)
        return code;
    sha256_add(&window->hash, window->bytes + kept, part);
    window->to += part;
    window->offset += part;
    window->left -= part;
    return EXIT_FINE;
}

static int copy_content(struct window *window, struct sink *sink, uint64_t size, struct fault *fault)
{
    while (size) {
        int code = window->from == window->to ? fill_window(window, fault) : EXIT_FINE;
        if (code)
            return code;
        size_t part = window->to - window->from < size ? window->to - window->from : (size_t)size;
        if (part == 0)
            return fault_set(fault, EXIT_PAYLOAD, BUILD_AGAIN, "this file cannot be read: an entry of its zip is cut");
        code = sink->data(sink, window->bytes + window->from, part, fault);
        if (code)
            return code;
        window->from += part;
        size -= part;
    }
    return sink->end(sink, fault);
}

static int take_entry(struct window *window, struct sink *sink, struct fault *fault)
{
    int code = window->to - window->from < ZIP_HEADER_MOST ? fill_window(window, fault) : EXIT_FINE;
    if (code)
        return code;
    struct zip_entry entry;
    code = zip_read(window->bytes + window->from, window->to - window->from, &entry, fault);
    if (code)
        return code;
    window->from += entry.header;
    if (entry.link) {
        code = sink_link(sink, entry.path.data, entry.target.data, fault);
    } else if (entry.folder) {
        code = sink_folder(sink, entry.path.data, fault);
    } else {
        code = sink_file(sink, entry.path.data, entry.executable, entry.size, fault);
        if (code == EXIT_FINE)
            code = copy_content(window, sink, entry.size, fault);
    }
    zip_free(&entry);
    return code;
}

static int compare_hash(struct window *window, const struct layer *layer, struct fault *fault)
{
    uint8_t digest[SHA256_SIZE];
    sha256_end(&window->hash, digest);
    if (memcmp(digest, layer->identity, sizeof digest) == 0)
        return EXIT_FINE;
    return fault_set(fault, EXIT_PAYLOAD, "copy or download the file again",
                     "the app part of this file is damaged: SHA-256 mismatch");
}

/* What looks like a wrong entry is first of all a damaged file: say so if the hash says so. */
static int explain_failure(struct window *window, const struct layer *layer, struct fault *fault)
{
    struct fault other = {0};
    while (window->left) {
        window->from = window->to;
        if (fill_window(window, &other))
            break;
    }
    if (window->left == 0 && compare_hash(window, layer, &other)) {
        fault_clear(fault);
        *fault = other;
        return fault->code;
    }
    fault_clear(&other);
    return fault->code;
}

int unpack_app(handle bundle, const struct layer *layer, const struct sink_maker *maker, struct progress *progress,
               struct fault *fault)
{
    struct window window = {.bundle = bundle, .offset = layer->offset, .left = layer->size};
    struct sink *sink = maker->make(maker, fault);
    if (!sink)
        return fault->code;
    window.bytes = memory_raw(WINDOW);
    sha256_begin(&window.hash);
    int code = EXIT_FINE;
    while (code == EXIT_FINE && (window.left || window.from < window.to)) {
        uint64_t before = window.left;
        code = take_entry(&window, sink, fault);
        atomic_fetch_add(&progress->done, before - window.left);
        progress_show(progress);
    }
    if (code == EXIT_FINE)
        code = compare_hash(&window, layer, fault);
    else if (code == EXIT_PAYLOAD)
        code = explain_failure(&window, layer, fault);
    sink->close(sink);
    memory_free(window.bytes);
    return code;
}
