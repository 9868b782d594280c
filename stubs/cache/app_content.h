/* SPDX-License-Identifier: MIT */
/* What must stand in apps/<id>/ for Python. */
#ifndef PYPACK_CACHE_APP_CONTENT_H
#define PYPACK_CACHE_APP_CONTENT_H

#include <stdbool.h>

#include "base/system.h"
#include "base/text.h"
#include "cache/app_files.h"
#include "cache/launcher.h"

/* The text of pyvenv.cfg. */
void app_describe_settings(const struct launcher *launcher, struct text *settings);
/* Show each file to `visit`, until that answers an error. Not the commands: pip may put others in their place. */
typedef oserr app_file_visit(const struct launcher *launcher, const struct app_file *file, void *argument);
oserr app_visit_files(const struct launcher *launcher, app_file_visit *visit, void *argument);
/* What a start looks at: whether the interpreter is there and has its size. */
bool app_interpreter_stands(const struct launcher *launcher);

#endif
