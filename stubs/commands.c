/* SPDX-License-Identifier: MIT */
/*
 * The commands that packages bring stand in apps/<id>/bin, beside the interpreter, as they do in a virtual environment.
 * What Python runs lies in apps/<id>/scripts/<name>. Where the system starts text files, bin/<name> is two lines for its
 * shell (which knows no limit of a path's length, and takes blanks in it); elsewhere it is a copy of the launcher (shim.c).
 */
#include <string.h>

#include "launcher.h"

#define SCRIPTS "scripts"

/* A new file below `draft`. */
static oserr write_file(const char *draft, const char *folder, const char *name, bool executable, const struct text *text)
{
    struct tree *tree;
    handle file;
    char *path = path_join(folder, name, NULL);
    oserr error = tree_open(draft, &tree);
    if (!error) {
        error = tree_file(tree, path, executable, &file);
        if (!error)
            error = tree_write(file, text_of(text), text->size);
        file_close(file);
        tree_close(tree);
    }
    memory_free(path);
    return error;
}

/* What a console script is: import a function, call it, end with what it answers. `object` is module:function. */
static void console_script(const char *object, struct text *text)
{
    const char *colon = strchr(object, ':');
    int module = (int)(colon - object), first = (int)strcspn(colon + 1, ".");
    text_format(text, "import sys\nfrom %.*s import %.*s\nif __name__ == \"__main__\":\n    sys.exit(%s())\n", module,
                object, first, colon + 1, colon + 1);
}

static oserr write_starter(const struct launcher *launcher, const char *draft, const struct command_entry *entry,
                           const char *script)
{
    if (!system_runs_text())
        return interpreter_twin(launcher, draft, entry->name);
    struct text text = {0};
    char *python = app_python(launcher);
    text_add(&text, "#!/bin/sh\nexec ");
    text_add_quoted(&text, python);
    text_add(&text, " ");
    text_add_quoted(&text, script);
    text_add(&text, " \"$@\"\n");
    oserr error = write_file(draft, "bin", entry->name, true, &text);
    memory_free(python);
    text_free(&text);
    return error;
}

static oserr write_script(const struct launcher *launcher, const char *draft, const struct command_entry *entry)
{
    struct text text = {0};
    char *script = app_path(launcher, SCRIPTS), *path = path_join(script, entry->name, NULL);
    oserr error = 0;
    if (entry->object) {
        console_script(entry->object, &text);
        error = write_file(draft, SCRIPTS, entry->name, false, &text);
    } else {
        memory_free(path);
        path = layer_path(launcher, entry->inside.kind, entry->inside.path);
        if (!system_runs_text()) { /* the launcher looks for it in one folder only */
            text_format(&text, "import runpy\nrunpy.run_path(r'''%s''', run_name=__name__)\n", path);
            error = write_file(draft, SCRIPTS, entry->name, false, &text);
        }
    }
    if (!error)
        error = write_starter(launcher, draft, entry, path);
    memory_free(path);
    memory_free(script);
    text_free(&text);
    return error;
}

/* A program in a layer. Where there are no links it is to be found in the layer only. */
static oserr write_link(const struct launcher *launcher, const char *draft, const struct command_entry *entry)
{
    const struct layer *layer = bundle_layer(&launcher->bundle, entry->inside.kind);
    if (!layer || !system_runs_text())
        return 0;
    char *link = path_join(draft, "bin", entry->name, NULL);
    char *target = path_join("../../../layers", layer->folder, entry->inside.path, NULL);
    oserr error = file_link(link, target);
    memory_free(target);
    memory_free(link);
    return error;
}

oserr commands_write(const struct launcher *launcher, const char *draft)
{
    const struct launch *launch = &launcher->bundle.launch;
    oserr error = 0;
    for (size_t i = 0; i < launch->command_count && !error; i++) {
        const struct command_entry *entry = &launch->commands[i];
        error = (entry->is_script ? write_script : write_link)(launcher, draft, entry);
        if (system_meaning(error) == MEANS_EXISTS)
            error = 0; /* of the program's own name, but for case: that is the interpreter */
    }
    return error;
}

char *command_script(const char *folder, const char *name)
{
    struct file_info info;
    size_t size = strlen(name), tail = strlen(system_suffix());
    char *base = text_copy(name, size > tail ? size - tail : size);
    char *path = path_join(folder, SCRIPTS, base, NULL);
    memory_free(base);
    if (file_look(path, false, &info) == 0 && info.kind == KIND_FILE)
        return path;
    memory_free(path);
    return NULL;
}
