/*
 * Linked into a launcher for this system by --wrap: it takes the file that TEST_BUNDLE names for its own, and looks for the payload
 * as the macOS launcher for TEST_PROCESSOR does. So bundles for macOS are read, checked and unpacked by the launcher's code.
 * TEST_MACOS is the version of macOS that it takes this system for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "base/text.h"
#include "os/macos/macho.h"

bool __wrap_system_copies_launcher(void);
bool __wrap_system_self(unsigned way, struct text *path, handle *file, uint64_t *size, oserr *error);
const char *__wrap_system_payload(handle file, uint64_t size, struct payload *payload);
bool __wrap_system_version(const char *part, handle self, unsigned *major, unsigned *minor);

bool __wrap_system_copies_launcher(void)
{
    return false;
}

bool __wrap_system_self(unsigned way, struct text *path, handle *file, uint64_t *size, oserr *error)
{
    struct file_info info;
    const char *name = getenv("TEST_BUNDLE");
    if (way > 0 || !name)
        return false;
    text_clear(path);
    text_add(path, name);
    *error = file_stat(name, true, &info);
    *size = info.size;
    if (!*error)
        *error = file_open(name, file);
    return true;
}

static bool read_bundle(void *from, void *bytes, size_t size, uint64_t offset)
{
    size_t got;
    return file_read(*(handle *)from, bytes, size, offset, &got) == 0 && got == size;
}

const char *__wrap_system_payload(handle file, uint64_t size, struct payload *payload)
{
    const char *processor = getenv("TEST_PROCESSOR");
    struct macho_source source = {read_bundle, &file, size};
    return macho_payload(&source, processor && strcmp(processor, "aarch64") == 0 ? MACHO_ARM64 : MACHO_X86_64,
                         &payload->base, &payload->size);
}

bool __wrap_system_version(const char *part, handle self, unsigned *major, unsigned *minor)
{
    const char *version = getenv("TEST_MACOS");
    (void)self;
    if (strcmp(part, "macos") != 0 || !version)
        return false;
    char *rest;
    *major = (unsigned)strtoul(version, &rest, 10);
    *minor = *rest == '.' ? (unsigned)strtoul(rest + 1, NULL, 10) : 0;
    return true;
}
