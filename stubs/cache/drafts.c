/* SPDX-License-Identifier: MIT */
/*
 * Names of folders in tmp/: <what>.<here>.<process>.<number>. Several machines and containers may share the cache, and know
 * nothing of each other's processes: `here` is a hash of the machine, its boot and the namespace of its process numbers.
 */
#include "cache/drafts.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "exit_codes.h"

#define HERE_BYTES 8
#define DAY INT64_C(86400)

/* Sixteen digits, or "unknown" where the system does not tell: then nothing of that name counts as ours. */
static const char *machine_id(void)
{
    static char name[2 * HERE_BYTES + 1];
    if (*name)
        return name;
    struct text facts = {0}, digits = {0};
    uint8_t digest[SHA256_SIZE];
    if (system_identify(&facts)) {
        sha256_of(facts.data, facts.size, digest);
        text_add_hex(&digits, digest, HERE_BYTES);
    } else {
        text_add(&digits, "unknown");
    }
    memcpy(name, digits.data, digits.size + 1);
    text_free(&digits);
    text_free(&facts);
    return name;
}

static void draft_name(struct text *file, const char *name, unsigned number)
{
    text_format(file, "%s.%s.%lu.%u", name, machine_id(), system_process(), number);
}

/* None of this process's own is in work when it looks. */
static bool maker_has_ended(const char *behind_name)
{
    size_t size = strlen(machine_id());
    if (strcmp(machine_id(), "unknown") == 0 || strncmp(behind_name, machine_id(), size) != 0 || behind_name[size] != '.')
        return false;
    unsigned long process = strtoul(behind_name + size + 1, NULL, 10);
    return process == system_process() || (process && !system_is_running(process));
}

bool draft_is_abandoned(const char *folder, const char *entry, size_t name_size)
{
    struct file_info info;
    if (entry[name_size] != '.' || strcmp(entry + name_size, ".lock") == 0)
        return false;
    if (maker_has_ended(entry + name_size + 1))
        return true;
    char *path = path_join(folder, entry, NULL);
    bool old = file_stat(path, false, &info) == 0 && info.age > DAY;
    memory_free(path);
    return old;
}

oserr cache_new_draft(struct launcher *launcher, const char *name, char **draft)
{
    oserr error;
    unsigned number = 0;
    do {
        struct text file = {0};
        draft_name(&file, name, number);
        *draft = cache_path(launcher, "tmp", file.data);
        text_free(&file);
        error = folder_make(*draft);
        if (error) {
            memory_free(*draft);
            *draft = NULL;
        }
    } while (system_classify(error) == CLASS_EXISTS && error && number++ < 1000);
    return error;
}

int cache_draft(struct launcher *launcher, const char *name, char **draft)
{
    oserr error = cache_new_draft(launcher, name, draft);
    return error ? cache_fail(launcher, error, "making a folder in it") : EXIT_FINE;
}
