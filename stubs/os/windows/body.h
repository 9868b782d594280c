/* SPDX-License-Identifier: MIT */
/*
 * What the Windows files share. Inside of the launcher a path is UTF-8 with "/" (a lone surrogate is spelled as WTF-8 spells
 * it); at the system's door it becomes UTF-16 with "\". A path that begins with "//?/" stays one that has no length limit.
 */
#ifndef PYPACK_OS_WINDOWS_BODY_H
#define PYPACK_OS_WINDOWS_BODY_H

#include "base/system.h"

#include <windows.h>

/* All of these give new memory. */
wchar_t *wide_text(const char *text);
char *narrow_text(const wchar_t *text);
/* For calls of the system: of any length. */
wchar_t *wide_path(const char *path);
char *narrow_path(const wchar_t *path);

/* Call `ask(buffer, room)` with growing room until the answer fits; it gives the length, or 0 on failure. NULL on failure. */
wchar_t *wide_answer(DWORD (*ask)(wchar_t *buffer, DWORD room, const void *about), const void *about);

static inline oserr last_error(void)
{
    DWORD error = GetLastError();
    return error ? (oserr)error : ERROR_GEN_FAILURE;
}

oserr file_create(const char *path, bool lasting, handle *file); /* a new one, for writing; nobody may write to it later */

#endif
