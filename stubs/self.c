/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=check|verify|extract and which file does the rest: what a bundle can do besides running its program. */
#include "self.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/app_data.h"
#include "cache/app_repair.h"
#include "cache/apps.h"
#include "cache/foreign.h"
#include "cache/gc_run.h"
#include "cache/launcher.h"
#include "cache/layers.h"
#include "cache/paths.h"
#include "cache/roots.h"
#include "cache/usable.h"
#include "exit_codes.h"
#include "format/layer.h"
#include "format/sink.h"
#include "format/trailer.h"
#include "self_clean.h"
#include "self_info.h"
#include "self_words.h"
#include "unpack/sinks.h"
#include "unpack/unpack.h"

static void print(struct text *lines)
{
    system_write_output(text_of(lines), lines->size);
    text_free(lines);
}

static int leave_to_administrator(struct launcher *launcher, const char *part)
{
    return fault_set(&launcher->fault, EXIT_PAYLOAD, "let the administrator run it with PYPACK_SELF=verify",
                     "what was unpacked (%s) is damaged in %s, which belongs to the administrator", part,
                     launcher->root->path);
}

/* What is not of the bundle is kept elsewhere. */
static int separate_foreign(struct launcher *launcher, const struct layer *layer, const struct members *members,
                             struct text *lines)
{
    struct text foreign = {0};
    char *folder = layer_path(launcher, layer->kind, "");
    int code = EXIT_FINE;
    foreign_find(folder, members, true, &foreign);
    if (foreign.size)
        code = launcher->read_only ? leave_to_administrator(launcher, layer_name(layer->kind))
                                   : foreign_keep(launcher, layer, &foreign, lines);
    memory_free(folder);
    text_free(&foreign);
    return code;
}

/* Compare the cache with the bundle, whose own hashes were found right; what differs is unpacked again. */
static int verify_cached(struct launcher *launcher, const struct layer *layer, const struct members *members,
                         struct text *lines)
{
    struct file_info info;
    struct progress progress;
    char *folder = layer_path(launcher, layer->kind, "");
    struct sink_maker maker = {.make = comparing_sink, .folder = folder};
    oserr error = file_stat(folder, false, &info);
    const char *result = "sound in the bundle, not in the cache";
    int code = EXIT_FINE;
    if (!error && info.kind == KIND_FOLDER)
        code = separate_foreign(launcher, layer, members, lines);
    if (code == EXIT_FINE && !error && info.kind != KIND_NONE) {
        result = "sound in the bundle and in the cache";
        progress_begin(&progress, &launcher->report, "comparing", layer->unpacked);
        code = unpack_layer(launcher->file, layer, &maker, &progress, &launcher->fault);
        progress_end(&progress);
        if (code) {
            text_format(lines, "%-8s %s\n", layer_name(layer->kind), text_of(&launcher->fault.what));
            result = "was damaged in the cache, unpacked again";
            code = launcher->read_only ? leave_to_administrator(launcher, layer_name(layer->kind))
                                       : layer_prepare(launcher, layer, true);
        }
    }
    if (code == EXIT_FINE)
        text_format(lines, "%-8s %s\n", layer_name(layer->kind), result);
    memory_free(folder);
    return code;
}

/* `paths` are ended by zero bytes. */
static void add_listed(struct text *line, const struct text *paths)
{
    const char *end = text_of(paths) + paths->size;
    for (const char *path = text_of(paths); path < end; path += strlen(path) + 1)
        text_format(line, "%s%s", path == paths->data ? "" : ", ", path);
}

/* The program's folder holds what others have installed, too: so it is mended file by file. */
static int verify_app(struct launcher *launcher, struct text *lines)
{
    struct file_info info;
    struct text damaged = {0}, repaired = {0};
    char *folder = app_path(launcher, NULL);
    bool there = file_stat(folder, false, &info) == 0 && info.kind == KIND_FOLDER;
    int code = EXIT_FINE;
    app_find_damage(launcher, &damaged);
    if (damaged.size)
        code = launcher->read_only ? leave_to_administrator(launcher, "start") : app_repair(launcher, &repaired);
    if (code == EXIT_FINE && damaged.size) {
        text_format(lines, "%-8s was damaged in the cache, mended: ", "start");
        add_listed(lines, &damaged);
        text_add(lines, "\n");
    } else if (code == EXIT_FINE) {
        text_format(lines, "%-8s %s in the cache\n", "start", there ? "sound" : "not");
    }
    text_free(&repaired);
    text_free(&damaged);
    memory_free(folder);
    return code;
}

static int verify_cache(struct launcher *launcher)
{
    struct text lines = {0};
    int code = cache_check_usable(launcher);
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++)
        code = verify_cached(launcher, &launcher->bundle.layers[i], &launcher->members[i], &lines);
    if (code == EXIT_FINE)
        code = verify_app(launcher, &lines);
    print(&lines);
    return code;
}

/* The file's own hashes first, whatever folder there is. */
static int verify(struct launcher *launcher)
{
    struct members members[LAYERS_MOST];
    int code = EXIT_FINE;
    launcher->members = members;
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++)
        members[i] = (struct members){.busy = ATOMIC_FLAG_INIT};
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++) {
        const struct layer *layer = &launcher->bundle.layers[i];
        struct progress progress;
        struct sink_maker nowhere = {.make = checking_sink, .folder = "", .members = &members[i]};
        progress_begin(&progress, &launcher->report, "checking", layer->unpacked);
        code = unpack_layer(launcher->file, layer, &nowhere, &progress, &launcher->fault);
        progress_end(&progress);
    }
    code = code ? code : cache_use_first(launcher, verify_cache);
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++)
        text_free(&members[i].names);
    launcher->members = NULL;
    return code;
}

static int report_damage(struct launcher *launcher, const char *folder, const char *why)
{
    return fault_set(&launcher->fault, EXIT_DAMAGED,
                     "start it once with PYPACK_SELF=verify, which repairs that, then again as ever",
                     "what was unpacked of this program is damaged, in %s: %s", folder, why);
}

static int report_layer_damage(struct launcher *launcher, const struct layer *layer)
{
    struct text why = {0};
    char *folder = layer_path(launcher, layer->kind, "");
    text_add(&why, text_of(&launcher->fault.what));
    int code = report_damage(launcher, folder, text_of(&why));
    memory_free(folder);
    text_free(&why);
    return code;
}

static int check_app(struct launcher *launcher)
{
    struct text paths = {0}, why = {0};
    char *folder = app_path(launcher, NULL);
    int code = EXIT_FINE;
    app_find_damage(launcher, &paths);
    if (paths.size) {
        add_listed(&why, &paths);
        text_add(&why, ": missing, or not what the bundle holds");
        code = report_damage(launcher, folder, text_of(&why));
    }
    memory_free(folder);
    text_free(&why);
    text_free(&paths);
    return code;
}

/* A file that is of no bundle may shadow one that is. */
static int check_foreign(struct launcher *launcher, const char *folder, const struct members *members)
{
    struct text foreign = {0};
    int code = EXIT_FINE;
    foreign_find(folder, members, false, &foreign);
    if (foreign.size)
        code = fault_set(&launcher->fault, EXIT_DAMAGED, "", "%s is not of the bundle", text_of(&foreign));
    text_free(&foreign);
    return code;
}

static int check_cache(struct launcher *launcher)
{
    int code = cache_check_usable(launcher);
    for (unsigned i = 0; i < launcher->bundle.layer_count && code == EXIT_FINE; i++) {
        const struct layer *layer = &launcher->bundle.layers[i];
        struct progress progress;
        char *folder = layer_path(launcher, layer->kind, "");
        struct members members = {.busy = ATOMIC_FLAG_INIT};
        struct sink_maker maker = {.make = comparing_sink, .folder = folder, .members = &members};
        progress_begin(&progress, &launcher->report, "comparing", layer->unpacked);
        code = unpack_layer(launcher->file, layer, &maker, &progress, &launcher->fault);
        progress_end(&progress);
        if (code == EXIT_FINE)
            code = check_foreign(launcher, folder, &members);
        text_free(&members.names);
        memory_free(folder);
        if (code == EXIT_DAMAGED)
            code = report_layer_damage(launcher, layer);
    }
    return code == EXIT_FINE ? check_app(launcher) : code;
}

static int extract_to_cache(struct launcher *launcher)
{
    int code = app_prepare(launcher);
    if (code == EXIT_FINE)
        code = layers_prepare(launcher);
    if (code == EXIT_FINE)
        code = app_data_prepare(launcher);
    if (code == EXIT_FINE)
        gc_finish(launcher);
    app_release(launcher);
    if (code == EXIT_FINE) {
        struct text lines = {0};
        text_format(&lines, "%s\n", launcher->root->path);
        print(&lines);
    }
    return code;
}

static int refuse_word(struct launcher *launcher, const char *word)
{
    static const char remedy[] = "use PYPACK_SELF=info, info-json, check, verify, extract or clean";
    const char *near = self_near_word(word);
    if (near)
        return fault_set(&launcher->fault, EXIT_BAD_WORD, remedy, "PYPACK_SELF=%s is not known (did you mean %s?)", word,
                         near);
    return fault_set(&launcher->fault, EXIT_BAD_WORD, remedy, "PYPACK_SELF=%s is not known", word);
}

int self_command(struct launcher *launcher, const char *word)
{
    if (strcmp(word, "info") == 0)
        return self_info(launcher, false);
    if (strcmp(word, "info-json") == 0 || strcmp(word, "info --json") == 0)
        return self_info(launcher, true);
    if (strcmp(word, "verify") == 0)
        return verify(launcher);
    if (strcmp(word, "check") == 0)
        return cache_use_first(launcher, check_cache);
    if (strcmp(word, "extract") == 0)
        return cache_use_first(launcher, extract_to_cache);
    if (strcmp(word, "clean") == 0)
        return self_clean(launcher);
    return refuse_word(launcher, word);
}
