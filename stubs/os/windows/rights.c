/* SPDX-License-Identifier: MIT */
#include "os/windows/rights.h"

#include <aclapi.h>
#include <sddl.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

#define WRITES                                                                                                        \
    (FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE |         \
     GENERIC_ALL)
#define TRUSTED_INSTALLER L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

/* The user that this process runs as; new memory, NULL if the system does not say. */
static TOKEN_USER *find_user(void)
{
    HANDLE token;
    DWORD size = 0;
    TOKEN_USER *result = NULL;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return NULL;
    GetTokenInformation(token, TokenUser, NULL, 0, &size);
    if (size) {
        result = memory(size, 1);
        if (!GetTokenInformation(token, TokenUser, result, size, &size)) {
            memory_free(result);
            result = NULL;
        }
    }
    CloseHandle(token);
    return result;
}

unsigned long rights_user_number(void)
{
    TOKEN_USER *self = find_user();
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

/* Those who own the system, and "whoever owns the file", which is looked at by itself. */
static bool is_trusted(PSID sid, PSID self, PSID installer)
{
    static const WELL_KNOWN_SID_TYPE kinds[] = {WinLocalSystemSid, WinBuiltinAdministratorsSid, WinCreatorOwnerSid,
                                                WinCreatorOwnerRightsSid};
    return (self && EqualSid(sid, self)) || (installer && EqualSid(sid, installer)) ||
           is_one_of(sid, kinds, sizeof kinds / sizeof *kinds);
}

/* Whom an entry allows something that changes the folder; `*changes` says whether it does. NULL: an unknown kind of entry. */
static PSID entry_user(void *entry, bool *changes)
{
    ACCESS_ALLOWED_ACE *plain = entry;
    ACCESS_ALLOWED_OBJECT_ACE *object = entry;
    *changes = (plain->Mask & WRITES) != 0;
    switch (plain->Header.AceType) {
    case ACCESS_ALLOWED_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_ACE_TYPE:
        return &plain->SidStart;
    case ACCESS_ALLOWED_OBJECT_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE:
        return (char *)&object->ObjectType + (object->Flags & ACE_OBJECT_TYPE_PRESENT ? sizeof(GUID) : 0) +
               (object->Flags & ACE_INHERITED_OBJECT_TYPE_PRESENT ? sizeof(GUID) : 0);
    case ACCESS_ALLOWED_COMPOUND_ACE_TYPE:
        return NULL;
    default: /* it denies, or is for the system's log */
        *changes = false;
        return NULL;
    }
}

/* Entries that are only passed on count too: what is in the folder has them. */
static bool open_to_others(PACL list, PSID self)
{
    if (!list)
        return true; /* no list at all: everybody may do everything, as on disks that know no rights */
    PSID installer = NULL;
    bool open = false;
    if (!ConvertStringSidToSidW(TRUSTED_INSTALLER, &installer))
        installer = NULL;
    for (DWORD i = 0; i < list->AceCount && !open; i++) {
        void *entry;
        bool changes = true;
        PSID sid = GetAce(list, i, &entry) ? entry_user(entry, &changes) : NULL;
        open = changes && !(sid && is_trusted(sid, self, installer));
    }
    LocalFree(installer);
    return open;
}

bool rights_can_write(const wchar_t *folder)
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
    TOKEN_USER *self = find_user();
    PSID installer = NULL; /* it owns what came with Windows: "C:/" and "C:/Program Files" */
    if (!ConvertStringSidToSidW(TRUSTED_INSTALLER, &installer))
        installer = NULL;
    if (self && owner && EqualSid(owner, self->User.Sid))
        rights.owner = OWNER_SELF;
    else if (owner && ((installer && EqualSid(owner, installer)) || is_one_of(owner, system, sizeof system / sizeof *system)))
        rights.owner = OWNER_SYSTEM;
    LocalFree(installer);
    rights.open_to_others = open_to_others(list, self ? self->User.Sid : NULL);
    memory_free(self);
    LocalFree(whole);
    return rights;
}

/* D:P: nothing is taken over from the folder above; full rights for the user, SYSTEM and the administrators, passed on. */
static PSECURITY_DESCRIPTOR private_descriptor(void)
{
    TOKEN_USER *self = find_user();
    wchar_t *sid = NULL;
    PSECURITY_DESCRIPTOR result = NULL;
    if (self && ConvertSidToStringSidW(self->User.Sid, &sid)) {
        char *name = narrow_text(sid);
        struct text rule = {0};
        text_format(&rule, "D:P(A;OICI;FA;;;%s)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", name);
        wchar_t *wide = wide_text(rule.data);
        if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(wide, SDDL_REVISION_1, &result, NULL))
            result = NULL;
        memory_free(wide);
        text_free(&rule);
        memory_free(name);
    }
    LocalFree(sid);
    memory_free(self);
    return result;
}

oserr rights_make_folder(const wchar_t *path)
{
    SECURITY_ATTRIBUTES rights = {sizeof rights, private_descriptor(), FALSE};
    oserr error = CreateDirectoryW(path, rights.lpSecurityDescriptor ? &rights : NULL) ? 0 : last_error();
    LocalFree(rights.lpSecurityDescriptor);
    return error;
}
