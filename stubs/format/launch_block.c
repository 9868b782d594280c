/* SPDX-License-Identifier: MIT */
/* The launch block of the trailer: `key=value`, each ended by a zero byte; unknown keys are passed over. */
#include "format/launch_block.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "exit_codes.h"
#include "format/layer.h"

static int refuse(struct fault *fault, const char *key, const char *value)
{
    return fault_set(fault, EXIT_TRAILER,
                     "the program has to be built again, all of it by one version of its tools: ask whoever made it",
                     "the description in this file cannot be used: %s=%s", key, value);
}

static bool is_name(const char *name)
{
    return path_stays_inside(name) && !strchr(name, '/');
}

static bool read_number(const char **at, uint64_t *number)
{
    const char *start = *at;
    for (*number = 0; **at >= '0' && **at <= '9'; ++*at) {
        unsigned digit = (unsigned)(**at - '0');
        if (*number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return *at != start;
}

/* KIND is a number, or the layer's name. */
static bool read_kind(const char **at, enum layer_kind *kind)
{
    static const enum layer_kind kinds[] = {LAYER_RUNTIME, LAYER_DEPS, LAYER_APP};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *name = layer_name(kinds[i]);
        size_t size = strlen(name);
        *kind = kinds[i];
        if ((*at)[0] == (char)('0' + kinds[i]) && (*at)[1] == ':') {
            *at += 2;
            return true;
        }
        if (strncmp(*at, name, size) == 0 && (*at)[size] == ':') {
            *at += size + 1;
            return true;
        }
    }
    return false;
}

static bool read_inside(const char *value, bool sized, struct inside *inside)
{
    if (!read_kind(&value, &inside->kind))
        return false;
    if (sized && (!read_number(&value, &inside->size) || *value++ != ':'))
        return false;
    inside->path = value;
    return path_stays_inside(value) || (!sized && *value == '\0');
}

static int add_inside(const char *key, const char *value, bool sized, struct inside **list, size_t *count,
                      struct fault *fault)
{
    *list = memory_grown(*list, *count + 1, sizeof **list);
    struct inside *added = &(*list)[*count];
    *added = (struct inside){0};
    if (!read_inside(value, sized, added))
        return refuse(fault, key, value);
    ++*count;
    return EXIT_FINE;
}

/* module:function, as words of Python's; letters beyond ASCII are taken as they are. */
static bool is_object(const char *object)
{
    const char *colon = strchr(object, ':');
    for (const char *at = object; *at; at++) {
        bool first = at == object || at[-1] == '.' || at[-1] == ':';
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_' || (*at & 0x80);
        bool other = (*at >= '0' && *at <= '9') || *at == '.' || at == colon;
        if (!letter && (first || !other))
            return false;
    }
    return colon && colon != object && colon[1] && object[strlen(object) - 1] != '.' && colon[-1] != '.';
}

/* `script` is NAME=MODULE:FUNCTION or KIND:PATH, `command` is KIND:PATH. */
static int add_command(const char *key, const char *value, struct launch *launch, struct fault *fault)
{
    struct command_entry entry = {.is_script = strcmp(key, "script") == 0};
    const char *equals = strchr(value, '=');
    if (entry.is_script && equals) {
        entry.object = equals + 1;
        entry.name = text_copy(value, (size_t)(equals - value));
    } else if (read_inside(value, false, &entry.inside)) {
        const char *name = path_name(entry.inside.path);
        entry.name = text_copy(name, strlen(name));
    }
    launch->commands = memory_grown(launch->commands, launch->command_count + 1, sizeof *launch->commands);
    launch->commands[launch->command_count++] = entry;
    if (!entry.name || !is_name(entry.name) || (entry.object && !is_object(entry.object)))
        return refuse(fault, key, value);
    return EXIT_FINE;
}

static void add_word(const char *value, const char ***list, size_t *count)
{
    *list = memory_grown(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = value;
}

/* One more of what may stand in the block more than once. */
static int take_repeated(const char *key, const char *value, struct launch *launch, struct fault *fault)
{
    if (strcmp(key, "path") == 0)
        return add_inside(key, value, false, &launch->paths, &launch->path_count, fault);
    if (strcmp(key, "data") == 0)
        return add_inside(key, value, false, &launch->data, &launch->data_count, fault);
    if (strcmp(key, "sentinel") == 0)
        return add_inside(key, value, true, &launch->sentinels, &launch->sentinel_count, fault);
    if (strcmp(key, "script") == 0 || strcmp(key, "command") == 0)
        return add_command(key, value, launch, fault);
    if (strcmp(key, "program") == 0 && !is_name(value))
        return refuse(fault, key, value);
    if (strcmp(key, "program") == 0)
        add_word(value, &launch->programs, &launch->program_count);
    if (strcmp(key, "pth") == 0)
        add_word(value, &launch->pth, &launch->pth_count);
    if (strcmp(key, "option") == 0)
        add_word(value, &launch->options, &launch->option_count);
    return EXIT_FINE;
}

static int take(const char *key, const char *value, struct launch *launch, struct fault *fault)
{
    const struct {
        const char *key;
        const char **member;
        bool path;
    } plain[] = {
        {"name", &launch->name, false},    {"version", &launch->version, false}, {"target", &launch->target, false},
        {"launch", &launch->mode, false},  {"python", &launch->python, true},    {"boot", &launch->boot, true},
        {"main", &launch->main, true},
        {"site", &launch->site, true},     {"glibc", &launch->glibc, false},
        {"loader", &launch->loader, true},       {"libpython", &launch->libpython, true},
        {"macos", &launch->macos, false},
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strcmp(key, plain[i].key) != 0)
            continue;
        *plain[i].member = value;
        return plain[i].path && !path_stays_inside(value) ? refuse(fault, key, value) : EXIT_FINE;
    }
    launch->no_self |= strcmp(key, "self") == 0 && strcmp(value, "off") == 0;
    launch->no_interpreter |= strcmp(key, "interpreter") == 0 && strcmp(value, "off") == 0;
    launch->standard |= strcmp(key, "environment") == 0 && strcmp(value, "standard") == 0;
    return take_repeated(key, value, launch, fault);
}

static int check_complete(const struct launch *launch, struct fault *fault)
{
    if (!launch->name || !is_name(launch->name))
        return refuse(fault, "name", launch->name ? launch->name : " (missing)");
    const struct {
        const char *key, *value;
    } needed[] = {
        {"python", launch->python}, {"boot", launch->boot}, {"main", launch->main}, {"target", launch->target}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!needed[i].value)
            return refuse(fault, needed[i].key, " (missing)");
    if (!launch->mode || (strcmp(launch->mode, "exec") != 0 && strcmp(launch->mode, "embed") != 0))
        return refuse(fault, "launch", launch->mode ? launch->mode : " (missing)");
    if (strcmp(launch->mode, "embed") != 0)
        return EXIT_FINE;
    if (!system_embeds())
        return fault_set(fault, EXIT_TRAILER, "the program has to be built again, for this system: ask whoever made it",
                         "the parts of this file do not fit together: launch=embed, for %s, and its first part cannot",
                         launch->target);
    return launch->libpython ? EXIT_FINE : refuse(fault, "libpython", " (missing)");
}

int launch_read(char *block, size_t size, struct launch *launch, struct fault *fault)
{
    *launch = (struct launch){0};
    if (size == 0 || block[size - 1] != '\0')
        return refuse(fault, "launch block", " (does not end)");
    for (char *end = block + size; block < end; block += strlen(block) + 1) {
        size_t key = strcspn(block, "=");
        if (!block[key])
            return refuse(fault, block, " (no value)");
        char *value = block + key + 1;
        block[key] = '\0';
        int code = take(block, value, launch, fault);
        if (code)
            return code;
        block = value;
    }
    return check_complete(launch, fault);
}
