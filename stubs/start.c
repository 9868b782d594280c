/* SPDX-License-Identifier: MIT */
/* Work out what to start, make sure that it is there, start it. */
#include <stdio.h>
#include <string.h>

#include "exit_codes.h"
#include "launcher.h"

static const char *const own_variables[] = {"PYPACK_DEBUG", "PYPACK_DRYRUN", "PYPACK_INTERPRETER", "PYPACK_SELF", NULL};

/* The words of the new program; those that were made for it are kept in `made`, to be freed. */
struct command {
    char **words;
    const char *start; /* the file that is started, or with launch "embed" the library that is loaded */
    char *made[8];
};

static bool as_interpreter(const struct launcher *launcher)
{
    const char *value = system_variable("PYPACK_INTERPRETER");
    return value && *value && strcmp(value, "0") != 0 && !launcher->bundle.launch.no_interpreter;
}

/* For Python's eyes. */
static char *native(char *path)
{
    char *made = system_native(path);
    memory_free(path);
    return made;
}

static bool is_embedded(const struct launch *launch)
{
    return strcmp(launch->mode, "embed") == 0;
}

/* What stands in front of Python's own arguments; returns how many words that is. */
static size_t first_words(const struct launcher *launcher, struct command *command)
{
    const struct launch *launch = &launcher->bundle.launch;
    char *name = command->made[0] = native(app_python(launcher));
    command->words[0] = name;
    command->start = name;
    if (is_embedded(launch)) {
        command->start = command->made[4] = layer_path(launcher, LAYER_RUNTIME, launch->libpython);
    } else if (launch->loader) {
        command->start = command->made[4] = app_loader(launcher);
        command->made[5] = app_libraries(launcher);
        command->made[6] = layer_path(launcher, LAYER_RUNTIME, launch->python);
        return shim_loader_words(command->words, command->made[4], command->made[5], name, command->made[6]);
    }
    return 1;
}

static struct command command_for(const struct launcher *launcher, int lock)
{
    const struct launch *launch = &launcher->bundle.launch;
    struct command command = {0};
    struct text number = {0};
    text_format(&number, "%d", lock);
    command.made[1] = native(layer_path(launcher, LAYER_APP, launch->boot));
    command.made[2] = number.data;
    command.made[3] = text_copy(launcher->called, strlen(launcher->called));
    command.made[7] = system_native(launcher->path.data);
    size_t given = 0;
    while (launcher->words[given])
        given++;
    char **words = command.words = memory(given + launch->option_count + SHIM_LOADER_WORDS + 6, sizeof *words);
    size_t count = first_words(launcher, &command);
    if (!as_interpreter(launcher)) {
        for (size_t i = 0; i < launch->option_count; i++)
            words[count++] = (char *)(uintptr_t)launch->options[i];
        words[count++] = command.made[1];
        words[count++] = command.made[7];
        words[count++] = command.made[2];
        words[count++] = command.made[3];
    }
    for (size_t i = 1; i < given; i++)
        words[count++] = launcher->words[i];
    return command;
}

static void free_command(struct command *command)
{
    for (size_t i = 0; i < sizeof command->made / sizeof *command->made; i++)
        memory_free(command->made[i]);
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
static int explain(struct launcher *launcher, const char *python, oserr error)
{
    struct file_info info;
    const struct launch *launch = &launcher->bundle.launch;
    bool there = file_look(python, true, &info) == 0 && info.kind == KIND_FILE;
    if (system_meaning(error) == MEANS_NO_PLACE)
        return fault_set(&launcher->fault, EXIT_PLACE, "", "%s while starting a program in it", system_text(error));
    if (system_meaning(error) == MEANS_MISSING && there && launch->glibc)
        return fault_set(&launcher->fault, EXIT_OLD_SYSTEM, "use a system with glibc, or build the program for linux-musl",
                         "this program needs glibc %s or newer; this system has none", launch->glibc);
    if (system_meaning(error) == MEANS_MISSING && there)
        return fault_set(&launcher->fault, EXIT_OLD_SYSTEM, "use a system of the kind that the program was built for",
                         "this system lacks the loader that the program needs (it was built for %s)", launch->target);
    return fault_set(&launcher->fault, EXIT_NO_START, "set PYPACK_DEBUG=1 to see each step",
                     "Python cannot be started: %s (%s)", system_text(error), python);
}

/*
 * glibc's loader learns from /proc what $ORIGIN means for a program, and a shared libpython is found by that. Where /proc is
 * missing the loader is told; the bootstrap takes the variable away again. Gives NULL where there is nothing to tell.
 */
static char *origin_variable(const struct launcher *launcher)
{
    const struct launch *launch = &launcher->bundle.launch;
    if (!launch->glibc || system_tells_origin())
        return NULL;
    struct text variable = {0};
    char *python = layer_path(launcher, LAYER_RUNTIME, launch->python);
    char *folder = path_parent(python);
    text_format(&variable, "LD_ORIGIN_PATH=%s", folder);
    memory_free(folder);
    memory_free(python);
    return variable.data;
}

/* What exec would close. Without a number for Python the lock stays as it is. */
static void close_own(struct launcher *launcher, int lock)
{
    file_close(launcher->file);
    launcher->file = NO_HANDLE;
    if (lock >= 0 || (as_interpreter(launcher) && !system_embeds_only()))
        app_release(launcher);
}

static int become_python(struct launcher *launcher)
{
    bool embedded = is_embedded(&launcher->bundle.launch); /* then this process goes on, and what it has open with it */
    int lock = as_interpreter(launcher) ? -1 : lock_inherited(launcher->app_lock);
    struct command command = command_for(launcher, lock);
    if (launcher->report.debug) {
        struct text line = {0};
        add_command(&line, command.words);
        report_debug(&launcher->report, "starting%s", line.data);
        text_free(&line);
    }
    cache_restore(launcher);
    if (embedded)
        close_own(launcher, lock);
    char *origin = embedded ? NULL : origin_variable(launcher);
    oserr error = embedded ? system_embed(command.start, command.words, own_variables, !as_interpreter(launcher))
                           : system_become(command.start, command.words, own_variables, origin);
    memory_free(origin);
    int code = explain(launcher, command.start, error);
    file_close(lock);
    free_command(&command);
    return code;
}

static int start_here(struct launcher *launcher)
{
    int code = app_ready(launcher);
    if (code == EXIT_FINE)
        code = layers_ready(launcher);
    if (code == EXIT_FINE)
        cache_tidy(launcher);
    if (code == EXIT_FINE)
        code = become_python(launcher);
    app_release(launcher);
    return code;
}

int start_program(struct launcher *launcher)
{
    return cache_try(launcher, start_here);
}

static int print_plan(struct launcher *launcher)
{
    struct text plan = {0};
    struct bundle *bundle = &launcher->bundle;
    struct command command = command_for(launcher, -1);
    bool whole = app_is_there(launcher);
    text_format(&plan, "bundle  %s\ncache   %s (%s)\n", launcher->path.data, launcher->place->path,
                launcher->place->origin);
    for (unsigned i = 0; i < bundle->layer_count; i++) {
        char *path = layer_path(launcher, bundle->layers[i].kind, "");
        bool there = layer_is_there(launcher, &bundle->layers[i]);
        whole = whole && there;
        text_format(&plan, "%-7s %s  %s\n", layer_name(bundle->layers[i].kind), path,
                    there ? "is there" : "would be unpacked");
        memory_free(path);
    }
    char *app = app_path(launcher, NULL);
    text_format(&plan, "start   %s  %s\n%-7s", app, app_is_there(launcher) ? "is there" : "would be made",
                bundle->launch.mode);
    add_command(&plan, command.words);
    text_add(&plan, "\n");
    int code = EXIT_FINE;
    if (launcher->read_only && !whole)
        code = cache_prepare(launcher);
    else
        system_print(plan.data, plan.size);
    memory_free(app);
    free_command(&command);
    text_free(&plan);
    return code;
}

int start_dry(struct launcher *launcher)
{
    return cache_try(launcher, print_plan);
}
