/* SPDX-License-Identifier: MIT */
/* system.h for POSIX, in launchers that become Python by exec: there is no way to load it as a library. */
#include <errno.h>

#include "posix.h"

bool system_embeds(void)
{
    return false;
}

bool system_embeds_only(void)
{
    return false;
}

oserr system_embed(const char *library, char *const *words, const char *const *forget, bool program)
{
    (void)library, (void)words, (void)forget, (void)program;
    return ENOSYS;
}
