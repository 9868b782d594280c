/* SPDX-License-Identifier: MIT */
/* How the environment of Python differs from that of the launcher. */
#include "variables.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "format/launch_block.h"
#include "format/layer.h"
#include "shim.h"

static const char *const own_variables[] = {"PYPACK_DEBUG", "PYPACK_DRYRUN", "PYPACK_INTERPRETER",
                                            "PYPACK_SELF",  SHIM_OUTER,      NULL};
static const char *const own_and_startup[] = {"PYPACK_DEBUG", "PYPACK_DRYRUN", "PYPACK_INTERPRETER",
                                              "PYPACK_SELF",  SHIM_OUTER,      "PYTHONSTARTUP", NULL};

/*
 * Variables that choose which code Python loads. The bootstrap gives them their names back before the program begins. (The
 * program's own folder is no part of what PYTHONSAFEPATH is about: it comes with the bundle.)
 */
static const char *const hidden_variables[] = {SHIM_HIDDEN, "PYTHONPATH", "PYTHONSAFEPATH", NULL};
static const char *const runtime_variables[] = {SHIM_HIDDEN, NULL};

bool wants_interpreter(const struct launcher *launcher)
{
    const char *value = system_variable("PYPACK_INTERPRETER");
    return value && *value && strcmp(value, "0") != 0 && !launcher->bundle.launch.no_interpreter;
}

/*
 * The folder of the bootstrap's `encodings`, the first module that Python imports: it stands in front of all others, and is
 * taken away again by what it holds.
 */
static char *make_path_variable(const struct launcher *launcher)
{
    char *boot = layer_path(launcher, LAYER_APP, launcher->bundle.launch.boot), *folder = path_parent(boot);
    char *spelled = system_native_path(folder);
    struct text variable = {0};
    text_format(&variable, "PYTHONPATH=%s", spelled);
    memory_free(spelled);
    memory_free(folder);
    memory_free(boot);
    return variable.data;
}

void variables_change(const struct launcher *launcher, struct changes *changes, char **added)
{
    static const char safe_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const struct launch *launch = &launcher->bundle.launch;
    const bool interpreter = wants_interpreter(launcher), strict = changes->strict;
    const char *outer = launch->standard || strict ? NULL : system_variable("PYTHONPATH");
    size_t count = 0;
    changes->forgotten = interpreter && !launch->standard ? own_and_startup : own_variables;
    changes->hidden = interpreter && launch->standard ? runtime_variables : hidden_variables;
    if (strict)
        added[count++] = text_copy(safe_path, sizeof safe_path - 1);
    if (!interpreter)
        added[count++] = make_path_variable(launcher);
    if (outer) {
        struct text variable = {0};
        text_format(&variable, "%s=%s", SHIM_OUTER, outer);
        added[count++] = variable.data;
    }
    if (launch->glibc && strcmp(launch->mode, "embed") != 0) {
        char *python = layer_path(launcher, LAYER_RUNTIME, launch->python);
        added[count] = shim_origin(python);
        memory_free(python);
    }
}
