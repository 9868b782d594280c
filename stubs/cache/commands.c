/* SPDX-License-Identifier: MIT */
/*
 * The commands that packages bring stand beside the interpreter, as they do in a virtual environment. Where the system starts
 * text files, bin/<name> begins with lines for its shell (which knows no limit of a path's length, and takes blanks in it), and
 * goes on with what Python runs. Elsewhere it is a copy of the launcher (shim.c), and what Python runs lies in
 * apps/<id>/commands/<name>.
 */
#include "cache/commands.h"

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/app_files.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "format/launch_block.h"
#include "format/layer.h"
#include "format/trailer.h"

#define COMMANDS "commands" /* not "scripts", which is the folder of the programs on Windows */

/* What a console script is: import a function, call it, end with what it answers. `object` is module:function. */
static void add_console_script(const char *object, struct text *text)
{
    const char *colon = strchr(object, ':');
    int module = (int)(colon - object), first = (int)strcspn(colon + 1, ".");
    text_format(text, "import sys\nfrom %.*s import %.*s\nif __name__ == \"__main__\":\n    sys.exit(%s())\n", module,
                object, first, colon + 1, colon + 1);
}

static oserr write_starter(const struct launcher *launcher, const char *draft, const struct command_entry *entry,
                           const char *script)
{
    struct text text = {0};
    char *python = app_python(launcher), *program = app_program(entry->name);
    text_add(&text, "#!/bin/sh\nexec ");
    text_add_quoted(&text, python);
    text_add(&text, " ");
    text_add_quoted(&text, script);
    text_add(&text, " \"$@\"\n");
    const struct app_file file = {system_runs_scripts() ? APP_SCRIPT : APP_LAUNCHER, program, text_of(&text)};
    oserr error = app_file_write(launcher, &file, draft);
    memory_free(program);
    memory_free(python);
    text_free(&text);
    return error;
}

/*
 * Both in one file: for Python the lines of the shell are a string. `python bin/NAME` works too, and the script can be started
 * by the name that it finds in sys.argv. False where the interpreter's path would end that string.
 */
static bool write_both(const struct launcher *launcher, const char *draft, const struct command_entry *entry, oserr *error)
{
    struct text text = {0};
    char *python = app_python(launcher);
    bool fits = system_runs_scripts() && entry->object && !strpbrk(python, "'\\");
    if (fits) {
        text_add(&text, "#!/bin/sh\n'''exec' ");
        text_add_quoted(&text, python);
        text_add(&text, " \"$0\" \"$@\"\n' '''\n");
        add_console_script(entry->object, &text);
        char *program = app_program(entry->name);
        const struct app_file file = {APP_SCRIPT, program, text_of(&text)};
        *error = app_file_write(launcher, &file, draft);
        memory_free(program);
    }
    memory_free(python);
    text_free(&text);
    return fits;
}

static oserr write_script(const struct launcher *launcher, const char *draft, const struct command_entry *entry)
{
    oserr whole = 0;
    if (write_both(launcher, draft, entry, &whole))
        return whole;
    struct text text = {0};
    char *inside = path_join(COMMANDS, entry->name, NULL);
    char *path = entry->object ? app_path(launcher, inside) : layer_path(launcher, entry->inside.kind, entry->inside.path);
    if (entry->object)
        add_console_script(entry->object, &text);
    else if (!system_runs_scripts()) /* the launcher looks for it in one folder only */
        text_format(&text, "import runpy\nrunpy.run_path(r'''%s''', run_name=__name__)\n", path);
    const struct app_file file = {APP_TEXT, inside, text_of(&text)};
    oserr error = text.size ? app_file_write(launcher, &file, draft) : 0;
    if (!error)
        error = write_starter(launcher, draft, entry, path);
    memory_free(path);
    memory_free(inside);
    text_free(&text);
    return error;
}

/* A program in a layer. Where there are no links it is to be found in the layer only. */
static oserr write_link(const struct launcher *launcher, const char *draft, const struct command_entry *entry)
{
    const struct layer *layer = bundle_layer(&launcher->bundle, entry->inside.kind);
    if (!layer || !system_runs_scripts())
        return 0;
    char *path = app_program(entry->name);
    char *target = path_join("../../../layers", layer->folder, entry->inside.path, NULL);
    const struct app_file file = {APP_LINK, path, target};
    oserr error = app_file_write(launcher, &file, draft);
    memory_free(target);
    memory_free(path);
    return error;
}

oserr commands_write(const struct launcher *launcher, const char *draft)
{
    const struct launch *launch = &launcher->bundle.launch;
    oserr error = 0;
    for (size_t i = 0; i < launch->command_count && !error; i++) {
        const struct command_entry *entry = &launch->commands[i];
        error = (entry->is_script ? write_script : write_link)(launcher, draft, entry);
        if (system_classify(error) == CLASS_EXISTS)
            error = 0; /* of the program's own name, but for case: that is the interpreter */
    }
    return error;
}

char *command_script(const char *folder, const char *name)
{
    struct file_info info;
    size_t size = strlen(name), tail = strlen(system_suffix());
    char *base = text_copy(name, size > tail ? size - tail : size);
    char *path = path_join(folder, COMMANDS, base, NULL);
    memory_free(base);
    if (file_stat(path, false, &info) == 0 && info.kind == KIND_FILE)
        return path;
    memory_free(path);
    return NULL;
}
