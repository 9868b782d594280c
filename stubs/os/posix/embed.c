/* SPDX-License-Identifier: MIT */
/*
 * system.h for POSIX, in launchers that load Python's library (launch=embed): its main function is part of the stable interface.
 * Children are started by exec of the runtime's own python, as ever.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "os/posix/posix.h"

extern char **environ;

typedef int main_function(int count, char **words);

bool system_embeds(void)
{
    return true;
}

bool system_embeds_only(void)
{
    return false;
}

/* Why a library cannot be loaded is told in words only. */
static oserr show_failure(void)
{
    const char *why = dlerror();
    if (why)
        system_show_error(why, strlen(why));
    system_show_error("\n", 1);
    return ENOEXEC;
}

oserr system_embed(const char *library, char *const *words, const struct changes *changes, bool program)
{
    (void)program;
    void *python = dlopen(library, RTLD_NOW | RTLD_GLOBAL); /* extension modules look for its names */
    main_function *start = NULL;
    void *symbol = python ? dlsym(python, "Py_BytesMain") : NULL;
    if (!symbol)
        return show_failure();
    memcpy(&start, &symbol, sizeof start);
    int count = 0;
    while (words[count])
        count++;
    root_close();
    environ = posix_environment(changes);
    for (const handle *file = changes->closed; *file != NO_HANDLE; file++)
        file_close(*file);
    exit(start(count, (char **)(uintptr_t)words));
}
