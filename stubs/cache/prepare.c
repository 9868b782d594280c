/* SPDX-License-Identifier: MIT */
/* The cache folder, before the first write to it. */
#include "cache/prepare.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "exit_codes.h"

#define WITHOUT_WRITE 022

static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                          "# This folder is a cache of pypack: programs that were unpacked to be started.\n"
                          "# It may be removed whenever none of them is running.\n";

int cache_fail(struct launcher *launcher, oserr error, const char *doing)
{
    return fault_set(&launcher->fault, TRY_NEXT_CACHE, "", "%s while %s", system_text(error), doing);
}

static oserr make_skeleton(struct launcher *launcher)
{
    static const char *const folders[] = {"layers", "apps", "tmp"};
    oserr error = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !error; i++) {
        char *folder = cache_path(launcher, folders[i], NULL);
        error = folder_make(folder);
        if (system_classify(error) == CLASS_EXISTS)
            error = 0;
        memory_free(folder);
    }
    char *file = cache_path(launcher, "CACHEDIR.TAG", NULL);
    if (!error)
        error = file_write(file, tag, sizeof tag - 1);
    memory_free(file);
    return system_classify(error) == CLASS_EXISTS ? 0 : error;
}

int cache_prepare(struct launcher *launcher)
{
    if (launcher->prepared)
        return EXIT_FINE;
    if (launcher->read_only)
        return fault_set(&launcher->fault, TRY_NEXT_CACHE, "",
                         "it belongs to the administrator and does not hold this program");
    struct text why = {0};
    if (!launcher->modes_set) {
        launcher->modes_before = system_mask_modes(WITHOUT_WRITE);
        launcher->modes_set = true;
        system_ignore_size_limit(true);
    }
    enum root_state state = root_make(launcher->root, &why);
    if (state != ROOT_READY) {
        int code = fault_set(&launcher->fault, TRY_NEXT_CACHE, "", "%s", text_of(&why));
        text_free(&why);
        return code;
    }
    text_free(&why);
    oserr error = make_skeleton(launcher);
    if (error)
        return cache_fail(launcher, error, "making folders in it");
    launcher->prepared = true;
    return EXIT_FINE;
}

void cache_restore_modes(struct launcher *launcher)
{
    if (launcher->modes_set) {
        system_mask_modes(launcher->modes_before);
        system_ignore_size_limit(false);
    }
    launcher->modes_set = false;
}
