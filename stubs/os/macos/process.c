/* SPDX-License-Identifier: MIT */
/* system.h for macOS: the process itself, its own file, and which macOS this is. */
#include <errno.h>
#include <libproc.h>
#include <mach-o/dyld.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/macos/macho.h"
#include "os/posix/posix.h"

#if defined(__aarch64__)
#define PROCESSOR MACHO_ARM64
#else
#define PROCESSOR MACHO_X86_64
#endif

/*
 * The segment that the payload goes into. It stands before __LINKEDIT and holds these bytes until the writer of bundles puts a
 * payload in their place; an empty section would not survive the link.
 */
__attribute__((used, section("__PYPACK,__payload,regular,no_dead_strip"))) static const char place_of_payload[8] = "none";

bool system_is_privileged(void)
{
    return issetugid() != 0;
}

bool system_pass_rights(bool all)
{
    (void)all; /* no file has capabilities here */
    return system_is_privileged();
}

const char *system_variable(const char *name)
{
    return issetugid() ? NULL : getenv(name); /* who starts a setuid file gets no say in what it does */
}

bool system_copies_launcher(void)
{
    return false;
}

bool system_has_sha256(void)
{
    return true; /* every arm64 Mac has the instructions; only asked there */
}

/* The path that this process was started by, which may lead over links; NULL if it cannot be had. */
static char *started_path(void)
{
    uint32_t room = 0;
    _NSGetExecutablePath(NULL, &room);
    char *path = memory((size_t)room + 1, 1);
    if (_NSGetExecutablePath(path, &room) == 0)
        return path;
    memory_free(path);
    return NULL;
}

const char *system_called_as(const char *argv0)
{
    if (strchr(argv0, '/'))
        return argv0;
    const char *path = started_path(); /* lives as long as the process */
    return path ? path : argv0;
}

bool system_self(unsigned way, struct text *path, handle *file, uint64_t *size, oserr *error)
{
    char *name = way == 0 ? started_path() : NULL;
    if (!name)
        return false;
    char *real = realpath(name, NULL);
    *error = real ? file_open(real, file) : errno;
    struct stat info;
    if (!*error && fstat((int)*file, &info) != 0)
        *error = errno;
    *size = *error ? 0 : (uint64_t)info.st_size;
    text_clear(path);
    text_add(path, real ? real : name);
    free(real);
    memory_free(name);
    return true;
}

static bool read_self(void *from, void *bytes, size_t size, uint64_t offset)
{
    size_t got;
    return file_read(*(handle *)from, bytes, size, offset, &got) == 0 && got == size;
}

const char *system_payload(handle file, uint64_t size, struct payload *payload)
{
    struct macho_source source = {read_self, &file, size};
    return macho_payload(&source, PROCESSOR, &payload->base, &payload->size);
}

bool system_has_origin(void)
{
    return true; /* dyld knows by itself what @executable_path is */
}

bool system_version(const char *part, handle self, unsigned *major, unsigned *minor)
{
    (void)self;
    char version[32] = ""; /* "13.4.1" */
    size_t size = sizeof version - 1;
    if (strcmp(part, "macos") != 0 || sysctlbyname("kern.osproductversion", version, &size, NULL, 0) != 0)
        return false;
    char *rest;
    if (strcmp(version, "10.16") == 0 || strncmp(version, "10.16.", 6) == 0)
        return false; /* what macOS 11 and later answer where they play an older one (SYSTEM_VERSION_COMPAT=1) */
    *major = (unsigned)strtoul(version, &rest, 10);
    *minor = *rest == '.' ? (unsigned)strtoul(rest + 1, NULL, 10) : 0;
    return rest != version;
}

void system_visit_processes(void (*see)(void *argument, const char *program, const char *words), void *argument)
{
    char program[PROC_PIDPATHINFO_MAXSIZE];
    int room = proc_listallpids(NULL, 0);
    if (room <= 0)
        return;
    size_t most = (size_t)room + 64; /* some may begin meanwhile */
    pid_t *numbers = memory(most, sizeof *numbers);
    int count = proc_listallpids(numbers, (int)(most * sizeof *numbers));
    for (int i = 0; i < count; i++)
        if (proc_pidpath(numbers[i], program, sizeof program) > 0)
            see(argument, program, "");
    memory_free(numbers);
}
