/* SPDX-License-Identifier: MIT */
/* One file of apps/<id>/. */
#ifndef PYPACK_CACHE_APP_FILES_H
#define PYPACK_CACHE_APP_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/system.h"
#include "cache/launcher.h"

enum app_file_kind { APP_TEXT, APP_SCRIPT, APP_LAUNCHER, APP_LINK };
struct app_file {
    enum app_file_kind kind;
    const char *path;    /* below apps/<id>/ */
    const char *content; /* of a text or a script (a text that is a program), or where a link leads */
};
/* The part of the bundle that is the launcher: what stands before the first layer. */
uint64_t app_launcher_size(const struct launcher *launcher);
/* A new one below `folder`. */
oserr app_file_write(const struct launcher *launcher, const struct app_file *file, const char *folder);
/* Whether it stands in apps/<id>/, byte for byte. */
bool app_file_is_sound(const struct launcher *launcher, const struct app_file *file);

#endif
