/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=info, for people and (info-json) for tools: docs/launcher.md says what each key means. */
#include "self_info.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/apps.h"
#include "cache/launcher.h"
#include "cache/layers.h"
#include "cache/paths.h"
#include "cache/roots.h"
#include "cache/usable.h"
#include "exit_codes.h"
#include "format/layer.h"
#include "format/trailer.h"

/* "key": "value" with what JSON escapes; bytes that are no UTF-8 become lone surrogates, as os.fsdecode() makes them. */
static void add_text(struct text *json, const char *key, const char *value)
{
    text_format(json, "\"%s\": ", key);
    if (!value) {
        text_add(json, "null");
        return;
    }
    text_add(json, "\"");
    for (const unsigned char *at = (const unsigned char *)value; *at;) {
        size_t size = text_character(at);
        if (size == 0)
            text_format(json, "\\udc%02x", *at++);
        else if (*at < ' ' || *at == '"' || *at == '\\')
            text_format(json, "\\u%04x", *at++);
        else {
            text_add_bytes(json, at, size);
            at += size;
        }
    }
    text_add(json, "\"");
}

static void add_layer(const struct launcher *launcher, const struct layer *layer, struct text *json)
{
    char *path = launcher->root ? layer_path(launcher, layer->kind, "") : NULL;
    text_add(json, "{");
    add_text(json, "kind", layer_name(layer->kind));
    text_add(json, ", ");
    add_text(json, "hash", layer->folder);
    text_format(json, ", \"packed\": %llu, \"unpacked\": %llu, ", (unsigned long long)layer->size,
                (unsigned long long)layer->unpacked);
    add_text(json, "path", path);
    text_format(json, ", \"present\": %s}", path && layer_is_present(launcher, layer) ? "true" : "false");
    memory_free(path);
}

static void add_cache(const struct launcher *launcher, struct text *json)
{
    const char *why = "";
    if (!launcher->root) {
        text_add(json, "null");
        return;
    }
    static const char *const sights[] = {"all", "locks", "nothing"};
    text_add(json, "{");
    add_text(json, "path", launcher->root->path);
    text_add(json, ", ");
    add_text(json, "origin", launcher->root->origin);
    text_format(json, ", \"read_only\": %s, \"sees\": \"%s\"}", launcher->read_only ? "true" : "false",
                sights[root_visibility(launcher->root, &why)]);
}

static void describe_json(const struct launcher *launcher, struct text *json)
{
    const struct bundle *bundle = &launcher->bundle;
    const struct {
        const char *key, *value;
    } texts[] = {
        {"name", bundle->launch.name},     {"version", bundle->launch.version}, {"target", bundle->launch.target},
        {"launch", bundle->launch.mode}, {"id", bundle->id},                  {"file", launcher->path.data},
    };
    text_add(json, "{\"schema\": 1");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        text_add(json, ", ");
        add_text(json, texts[i].key, texts[i].value);
    }
    text_add(json, ", \"cache\": ");
    add_cache(launcher, json);
    text_add(json, ", ");
    add_text(json, "no_cache", launcher->root ? NULL : text_of(&launcher->fault.what));
    text_add(json, ", \"layers\": [");
    for (unsigned i = 0; i < bundle->layer_count; i++) {
        text_add(json, i ? ", " : "");
        add_layer(launcher, &bundle->layers[i], json);
    }
    text_format(json, "], \"prepared\": %s}\n", launcher->root && app_is_present(launcher) ? "true" : "false");
}

/* Megabytes with one digit, rounded up. */
static void add_size(struct text *lines, uint64_t bytes)
{
    uint64_t tenths = bytes / 100000 + (bytes % 100000 ? 1 : 0);
    text_format(lines, "%llu.%u MB", (unsigned long long)(tenths / 10), (unsigned)(tenths % 10));
}

static void describe(const struct launcher *launcher, struct text *lines)
{
    const struct bundle *bundle = &launcher->bundle;
    const char *version = bundle->launch.version;
    text_format(lines, "name     %s\nversion  %s\ntarget   %s\nid       %s\nbundle   %s\n", bundle->launch.name,
                version ? version : "unknown", bundle->launch.target, bundle->id, launcher->path.data);
    if (launcher->root)
        text_format(lines, "cache    %s (%s)%s\n", launcher->root->path, launcher->root->origin,
                    launcher->read_only ? ", the administrator's" : "");
    else
        text_format(lines, "cache    %s\n", text_of(&launcher->fault.what));
    for (unsigned i = 0; i < bundle->layer_count; i++) {
        const struct layer *layer = &bundle->layers[i];
        bool there = launcher->root && layer_is_present(launcher, layer);
        text_format(lines, "%-8s %s  ", layer_name(layer->kind), layer->folder);
        add_size(lines, layer->size);
        text_add(lines, ", unpacked ");
        add_size(lines, layer->unpacked);
        text_format(lines, ", %s\n", there ? "in the cache" : "not in the cache");
    }
    text_format(lines, "start    %s\n",
                launcher->root && app_is_present(launcher) ? "prepared" : "not prepared: the first start does that");
}

static void print_facts(const struct launcher *launcher, void (*how)(const struct launcher *, struct text *))
{
    struct text lines = {0};
    how(launcher, &lines);
    system_write_output(text_of(&lines), lines.size);
    text_free(&lines);
}

static int print_info(struct launcher *launcher)
{
    int code = cache_check_usable(launcher);
    if (code == EXIT_FINE)
        print_facts(launcher, describe);
    return code;
}

static int print_json(struct launcher *launcher)
{
    int code = cache_check_usable(launcher);
    if (code == EXIT_FINE)
        print_facts(launcher, describe_json);
    return code;
}

/* Where no folder would do, what is in the bundle is told all the same, and why none would. */
int self_info(struct launcher *launcher, bool json)
{
    int code = cache_use_first(launcher, json ? print_json : print_info);
    if (code == EXIT_NO_CACHE)
        print_facts(launcher, json ? describe_json : describe);
    return EXIT_FINE;
}
