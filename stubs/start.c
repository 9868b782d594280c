/* SPDX-License-Identifier: MIT */
/* Work out what to start, make sure that it is there, start it. */
#include "start.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/app_data.h"
#include "cache/apps.h"
#include "cache/gc_run.h"
#include "cache/launcher.h"
#include "cache/layers.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "cache/roots.h"
#include "cache/usable.h"
#include "exit_codes.h"
#include "format/launch_block.h"
#include "format/layer.h"
#include "format/trailer.h"
#include "respawn.h"
#include "shim.h"
#include "variables.h"

#define STARTS_MOST 5

/* Texts that are made for a command. */
enum command_text {
    TEXT_NAME, /* of Python, as it is to see itself */
    TEXT_START,
    TEXT_LIBRARIES,
    TEXT_PYTHON,
    TEXT_MAIN, /* from here on: what the bootstrap reads, in this order */
    TEXT_BUNDLE,
    TEXT_LOCK,
    TEXT_ID,
    TEXT_CALLED,
    TEXT_COUNT
};

/* The words of the new program; those that were made for it are kept in `texts`, to be freed. */
struct command {
    char **words;
    const char *start; /* the file that is started, or with launch "embed" the library that is loaded */
    char *texts[TEXT_COUNT];
};

/* For Python's eyes. */
static char *spell(char *path)
{
    char *spelled = system_native_path(path);
    memory_free(path);
    return spelled;
}

static bool is_embedded(const struct launch *launch)
{
    return strcmp(launch->mode, "embed") == 0;
}

/* What stands in front of Python's own arguments; returns how many words that is. */
static size_t add_first_words(const struct launcher *launcher, struct command *command)
{
    const struct launch *launch = &launcher->bundle.launch;
    char **texts = command->texts;
    texts[TEXT_NAME] = spell(app_python(launcher));
    texts[TEXT_START] = is_embedded(launch) ? layer_path(launcher, LAYER_RUNTIME, launch->libpython) : app_link(launcher);
    command->start = texts[TEXT_START];
    if (launch->loader && !is_embedded(launch)) {
        texts[TEXT_LIBRARIES] = app_libraries(launcher);
        texts[TEXT_PYTHON] = layer_path(launcher, LAYER_RUNTIME, launch->python);
        return shim_loader_words(command->words, texts[TEXT_START], texts[TEXT_LIBRARIES], texts[TEXT_NAME],
                                 texts[TEXT_PYTHON]);
    }
    command->words[0] = texts[TEXT_NAME];
    return 1;
}

static size_t length_without_suffix(const char *name)
{
    const char *suffix = system_suffix();
    size_t size = strlen(name), tail = strlen(suffix);
    for (size_t i = 0; i < tail; i++)
        if (size <= tail || (name[size - tail + i] | 0x20) != (suffix[i] | 0x20)) /* in letters of either size */
            return size;
    return size - tail;
}

/*
 * Of a bundle that is several programs: the one that it is called by the name of, or that the first argument names. That one is
 * then no argument of the program's: `taken` says so. NULL where the bootstrap has to tell which there are.
 */
static const char *choose_program(const struct launcher *launcher, bool *taken)
{
    const struct launch *launch = &launcher->bundle.launch;
    const char *called = path_name(launcher->called), *first = launcher->words[0] ? launcher->words[1] : NULL;
    size_t size = length_without_suffix(called);
    *taken = false;
    for (size_t i = 0; i < launch->program_count; i++)
        if (strlen(launch->programs[i]) == size && strncmp(launch->programs[i], called, size) == 0)
            return launch->programs[i];
    *taken = true;
    for (size_t i = 0; first && i < launch->program_count; i++)
        if (strcmp(launch->programs[i], first) == 0)
            return launch->programs[i];
    *taken = false;
    return NULL;
}

/* The file that Python is told to run. */
static char *find_main_file(const struct launcher *launcher, bool *taken)
{
    const char *program = choose_program(launcher, taken);
    if (!program)
        return layer_path(launcher, LAYER_APP, launcher->bundle.launch.main);
    char *inside = path_join("bin", program, NULL);
    char *path = layer_path(launcher, LAYER_APP, inside);
    memory_free(inside);
    return path;
}

static struct command make_command(const struct launcher *launcher, int lock)
{
    const struct launch *launch = &launcher->bundle.launch;
    struct command command = {0};
    struct text number = {0};
    bool taken;
    text_format(&number, "%d", lock);
    command.texts[TEXT_MAIN] = spell(find_main_file(launcher, &taken));
    command.texts[TEXT_BUNDLE] = system_native_path(launcher->path.data);
    command.texts[TEXT_LOCK] = number.data;
    command.texts[TEXT_ID] = text_copy(launcher->bundle.id, strlen(launcher->bundle.id));
    command.texts[TEXT_CALLED] = text_copy(launcher->called, strlen(launcher->called));
    size_t given = 0;
    while (launcher->words[given])
        given++;
    char **words = command.words = memory(given + launch->option_count + SHIM_LOADER_WORDS + 7, sizeof *words);
    size_t count = add_first_words(launcher, &command);
    if (!wants_interpreter(launcher)) {
        for (size_t i = 0; i < launch->option_count; i++)
            words[count++] = (char *)(uintptr_t)launch->options[i];
        for (size_t i = TEXT_MAIN; i <= TEXT_CALLED; i++)
            words[count++] = command.texts[i];
    }
    for (size_t i = taken && !wants_interpreter(launcher) ? 2 : 1; i < given; i++)
        words[count++] = launcher->words[i];
    return command;
}

static void free_command(struct command *command)
{
    for (size_t i = 0; i < TEXT_COUNT; i++)
        memory_free(command->texts[i]);
    memory_free(command->words);
}

static void add_command(struct text *line, char *const *words)
{
    for (; *words; words++) {
        text_add(line, " ");
        text_add_quoted(line, *words);
    }
}

/* The system refused to start Python: find out why. */
static int explain_failure(struct launcher *launcher, const char *python, oserr error)
{
    struct file_info info;
    const struct launch *launch = &launcher->bundle.launch;
    bool there = file_stat(python, true, &info) == 0 && info.kind == KIND_FILE;
    if (system_classify(error) == CLASS_UNWRITABLE)
        return fault_set(&launcher->fault, TRY_NEXT_CACHE, "", "%s while starting a program in it", system_text(error));
    if (system_classify(error) == CLASS_MISSING && there && launch->glibc)
        return fault_set(&launcher->fault, EXIT_OLD_SYSTEM,
                         "use another Linux system, or ask whoever made the program for one that runs here (linux-musl)",
                         "this program needs glibc %s or newer, the C library of most Linux systems; this system has none",
                         launch->glibc);
    if (system_classify(error) == CLASS_MISSING && there)
        return fault_set(&launcher->fault, EXIT_OLD_SYSTEM, "ask whoever made the program for one that runs on this system",
                         "this system lacks what starts such a program: it was made for %s", launch->target);
    return fault_set(&launcher->fault, EXIT_NO_START,
                     "start it again; if that does not help, send this message to whoever made the program",
                     "the program cannot be started: %s (%s)", system_text(error), python);
}

static oserr start_command(const struct launcher *launcher, const struct command *command, int lock)
{
    const struct launch *launch = &launcher->bundle.launch;
    bool strict = system_pass_rights(launcher->read_only && root_is_privileged(launcher->root));
    char *added[ADDED_MOST + 1] = {NULL};
    struct changes changes = {.added = added, .strict = strict};
    /* the lock goes on under the number that Python is told; without one it stays */
    const handle closed[] = {launcher->file, lock >= 0 ? launcher->app_lock : NO_HANDLE, NO_HANDLE};
    changes.closed = closed;
    variables_change(launcher, &changes, added);
    oserr error = is_embedded(launch) ? system_embed(command->start, command->words, &changes, !wants_interpreter(launcher))
                                      : system_exec(command->start, command->words, &changes);
    for (size_t i = 0; i < ADDED_MOST; i++)
        memory_free(added[i]);
    return error;
}

static int become_python(struct launcher *launcher, oserr *error)
{
    int lock = lock_pass_on(launcher->app_lock);
    struct command command = make_command(launcher, lock);
    if (launcher->report.debug) {
        struct text line = {0};
        add_command(&line, command.words);
        report_debug(&launcher->report, "starting%s", line.data);
        text_free(&line);
    }
    cache_restore_modes(launcher);
    *error = start_command(launcher, &command, lock);
    int code = explain_failure(launcher, command.start, *error);
    file_close(lock);
    free_command(&command);
    return code;
}

static int start_once(struct launcher *launcher, oserr *error)
{
    *error = 0;
    int code = app_prepare(launcher);
    if (code == EXIT_FINE)
        code = layers_prepare(launcher);
    if (code == EXIT_FINE)
        code = app_data_prepare(launcher);
    if (code == EXIT_FINE)
        gc_start(launcher);
    if (code == EXIT_FINE)
        code = become_python(launcher, error);
    app_release(launcher);
    return code;
}

/* Where nothing can be locked, another start may just then put a sound layer in the place of a damaged one. */
static int start_here(struct launcher *launcher)
{
    oserr error;
    int code = start_once(launcher, &error);
    for (int tries = 1; tries < STARTS_MOST && code == EXIT_NO_START && system_classify(error) == CLASS_MISSING; tries++)
        code = start_once(launcher, &error);
    return code;
}

int start_program(struct launcher *launcher)
{
    if (!wants_interpreter(launcher) && is_child_command(launcher->words))
        return refuse_child(launcher);
    return cache_use_first(launcher, start_here);
}

static int print_plan(struct launcher *launcher)
{
    struct text plan = {0};
    struct bundle *bundle = &launcher->bundle;
    int code = cache_check_usable(launcher); /* the folder that a start would use */
    if (code)
        return code;
    struct command command = make_command(launcher, -1);
    bool whole = app_is_present(launcher);
    text_format(&plan, "bundle  %s\ncache   %s (%s)\n", launcher->path.data, launcher->root->path,
                launcher->root->origin);
    for (unsigned i = 0; i < bundle->layer_count; i++) {
        char *path = layer_path(launcher, bundle->layers[i].kind, "");
        bool there = layer_is_present(launcher, &bundle->layers[i]);
        whole = whole && there;
        text_format(&plan, "%-7s %s  %s\n", layer_name(bundle->layers[i].kind), path,
                    there ? "is there" : "would be unpacked");
        memory_free(path);
    }
    char *app = app_path(launcher, NULL);
    text_format(&plan, "start   %s  %s\n%-7s", app, app_is_present(launcher) ? "is there" : "would be made",
                bundle->launch.mode);
    add_command(&plan, command.words);
    text_add(&plan, "\n");
    if (launcher->read_only && !whole)
        code = cache_prepare(launcher);
    else
        system_write_output(plan.data, plan.size);
    memory_free(app);
    free_command(&command);
    text_free(&plan);
    return code;
}

int start_dry(struct launcher *launcher)
{
    return cache_use_first(launcher, print_plan);
}
