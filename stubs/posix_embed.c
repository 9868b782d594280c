/* SPDX-License-Identifier: MIT */
/*
 * system.h for POSIX, in launchers that load Python's library (launch=embed): its main function is part of the stable interface.
 * Children are started by exec of the runtime's own python, as ever.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"

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
static oserr refused(void)
{
    const char *why = dlerror();
    if (why)
        system_alarm(why, strlen(why));
    system_alarm("\n", 1);
    return ENOEXEC;
}

oserr system_embed(const char *library, char *const *words, const char *const *forget, bool program)
{
    (void)program;
    void *python = dlopen(library, RTLD_NOW | RTLD_GLOBAL); /* extension modules look for its names */
    main_function *start = NULL;
    void *found = python ? dlsym(python, "Py_BytesMain") : NULL;
    if (!found)
        return refused();
    memcpy(&start, &found, sizeof start);
    int count = 0;
    while (words[count])
        count++;
    for (; *forget; forget++)
        unsetenv(*forget);
    exit(start(count, (char **)(uintptr_t)words));
}
