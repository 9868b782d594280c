/* SPDX-License-Identifier: MIT */
/* system.h for POSIX, in launchers that become Python by exec: there is no way to load it as a library. */
#include <errno.h>

#include "base/system.h"
#include "os/posix/posix.h"

bool system_embeds(void)
{
    return false;
}

bool system_embeds_only(void)
{
    return false;
}

oserr system_embed(const char *library, char *const *words, const struct changes *changes, bool program)
{
    (void)library, (void)words, (void)changes, (void)program;
    return ENOSYS;
}
