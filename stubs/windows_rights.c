/* SPDX-License-Identifier: MIT */
#include "windows_rights.h"

#include <aclapi.h>
#include <sddl.h>

#define WRITES                                                                                                        \
    (FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)

/* The user that this process runs as; new memory, NULL if the system does not say. */
static TOKEN_USER *user(void)
{
    HANDLE token;
    DWORD size = 0;
    TOKEN_USER *made = NULL;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return NULL;
    GetTokenInformation(token, TokenUser, NULL, 0, &size);
    if (size) {
        made = memory(size, 1);
        if (!GetTokenInformation(token, TokenUser, made, size, &size)) {
            memory_free(made);
            made = NULL;
        }
    }
    CloseHandle(token);
    return made;
}

unsigned long rights_user_number(void)
{
    TOKEN_USER *self = user();
    if (!self)
        return 0;
    PSID sid = self->User.Sid;
    unsigned char parts = *GetSidSubAuthorityCount(sid);
    unsigned long number = parts ? *GetSidSubAuthority(sid, parts - 1U) : 0;
    memory_free(self);
    return number;
}

static bool is_one_of(PSID sid, const WELL_KNOWN_SID_TYPE *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (IsWellKnownSid(sid, kinds[i]))
            return true;
    return false;
}

static bool is_everybody(PSID sid)
{
    static const WELL_KNOWN_SID_TYPE groups[] = {WinWorldSid,        WinAuthenticatedUserSid, WinBuiltinUsersSid,
                                                 WinBuiltinGuestsSid, WinInteractiveSid,      WinNetworkSid,
                                                 WinAnonymousSid};
    return is_one_of(sid, groups, sizeof groups / sizeof *groups);
}

static bool open_to_others(PACL list)
{
    if (!list)
        return true; /* no list at all: everybody may do everything, as on disks that know no rights */
    for (DWORD i = 0; i < list->AceCount; i++) {
        void *entry;
        if (!GetAce(list, i, &entry))
            continue;
        ACCESS_ALLOWED_ACE *allowed = entry;
        if (allowed->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && (allowed->Mask & WRITES) &&
            is_everybody((PSID)&allowed->SidStart))
            return true;
    }
    return false;
}

static bool can_write(const wchar_t *folder)
{
    HANDLE file = CreateFileW(folder, FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    CloseHandle(file);
    return true;
}

struct rights rights_of(const wchar_t *folder)
{
    static const WELL_KNOWN_SID_TYPE system[] = {WinLocalSystemSid, WinBuiltinAdministratorsSid};
    struct rights rights = {.owner = OWNER_OTHER};
    PSECURITY_DESCRIPTOR whole = NULL;
    PSID owner = NULL;
    PACL list = NULL;
    DWORD error = GetNamedSecurityInfoW((wchar_t *)(uintptr_t)folder, SE_FILE_OBJECT,
                                        OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner, NULL, &list, NULL,
                                        &whole);
    if (error) {
        rights.error = (oserr)error;
        return rights;
    }
    TOKEN_USER *self = user();
    if (self && owner && EqualSid(owner, self->User.Sid))
        rights.owner = OWNER_SELF;
    else if (owner && is_one_of(owner, system, sizeof system / sizeof *system))
        rights.owner = OWNER_SYSTEM;
    rights.open_to_others = open_to_others(list);
    rights.can_write = can_write(folder);
    memory_free(self);
    LocalFree(whole);
    return rights;
}

/* D:P: nothing is taken over from the folder above; full rights for the user, SYSTEM and the administrators, passed on. */
static PSECURITY_DESCRIPTOR private_descriptor(void)
{
    TOKEN_USER *self = user();
    wchar_t *sid = NULL;
    PSECURITY_DESCRIPTOR made = NULL;
    if (self && ConvertSidToStringSidW(self->User.Sid, &sid)) {
        char *name = narrow_text(sid);
        struct text rule = {0};
        text_format(&rule, "D:P(A;OICI;FA;;;%s)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", name);
        wchar_t *wide = wide_text(rule.data);
        if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(wide, SDDL_REVISION_1, &made, NULL))
            made = NULL;
        memory_free(wide);
        text_free(&rule);
        memory_free(name);
    }
    LocalFree(sid);
    memory_free(self);
    return made;
}

oserr rights_make_folder(const wchar_t *path)
{
    SECURITY_ATTRIBUTES rights = {sizeof rights, private_descriptor(), FALSE};
    oserr error = CreateDirectoryW(path, rights.lpSecurityDescriptor ? &rights : NULL) ? 0 : last_error();
    LocalFree(rights.lpSecurityDescriptor);
    return error;
}
