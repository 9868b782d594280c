/* SPDX-License-Identifier: MIT */
/* Who owns a folder, and who may write to it. */
#ifndef PYPACK_OS_WINDOWS_RIGHTS_H
#define PYPACK_OS_WINDOWS_RIGHTS_H

#include "base/system.h"

struct rights {
    oserr error;
    enum { OWNER_SELF, OWNER_SYSTEM, OWNER_OTHER } owner; /* SYSTEM: also the administrators */
    bool open_to_others; /* somebody else than this user, the system and the administrators may change it */
};

struct rights rights_of(const wchar_t *folder);
bool rights_can_write(const wchar_t *folder);
/* A folder for this user, the system and the administrators. */
oserr rights_make_folder(const wchar_t *path);
/* The last part of the user's security identifier. */
unsigned long rights_user_number(void);

#endif
