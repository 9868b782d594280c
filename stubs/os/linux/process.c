/* SPDX-License-Identifier: MIT */
/* system.h for Linux: the process itself, and its own file. */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#define WORDS_MOST ((size_t)1 << 16)

bool system_is_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

bool system_pass_rights(bool all)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
    if (!system_is_privileged())
        return false;
    if (getuid() != geteuid() || getgid() != getegid() || syscall(SYS_capget, &head, sets) != 0)
        return true; /* what a set-user-id file gives goes on by itself */
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        sets[i].inheritable |= sets[i].permitted & (all ? UINT32_MAX : i == 0 ? 1U << CAP_NET_BIND_SERVICE : 0);
    if (syscall(SYS_capset, &head, sets) != 0)
        return all;
    for (unsigned cap = 0; cap < 32 * _LINUX_CAPABILITY_U32S_3; cap++)
        if (sets[cap / 32].inheritable & sets[cap / 32].permitted & (1U << cap % 32))
            (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (unsigned long)cap, 0UL, 0UL);
    return all;
}

const char *system_variable(const char *name)
{
    return secure_getenv(name); /* who starts a setuid file gets no say in what it does */
}

bool system_has_sha256(void)
{
    const unsigned long sha2 = 1UL << 6; /* HWCAP_SHA2 of AArch64; only asked there */
    return (getauxval(AT_HWCAP) & sha2) != 0;
}

static const char *find_started_file(void)
{
    return (const char *)(uintptr_t)getauxval(AT_EXECFN); // NOLINT: the kernel hands a pointer over as a number
}

const char *system_called_as(const char *argv0)
{
    const char *file = find_started_file();
    return strchr(argv0, '/') || !file ? argv0 : file;
}

static bool tells_origin;

/* What the link /proc/self/exe says; a file that was removed meanwhile has " (deleted)" behind its name. */
static bool read_self_link(struct text *path)
{
    static const char removed[] = " (deleted)";
    if (file_read_link("/proc/self/exe", path) != 0)
        return false;
    tells_origin = true;
    size_t tail = sizeof removed - 1;
    if (path->size > tail && strcmp(path->data + path->size - tail, removed) == 0)
        path->data[path->size -= tail] = '\0';
    return true;
}

bool system_self(unsigned way, struct text *path, handle *file, uint64_t *size, oserr *error)
{
    const char *name = way == 0 ? "/proc/self/exe" : find_started_file();
    if (way > 1 || !name)
        return false;
    *error = file_open(name, file);
    if (*error)
        return true;
    struct stat info;
    *error = fstat((int)*file, &info) == 0 ? 0 : errno;
    *size = *error ? 0 : (uint64_t)info.st_size;
    text_clear(path);
    if (way == 0 && read_self_link(path))
        return true;
    char *real = realpath(name, NULL);
    text_add(path, real ? real : name);
    free(real);
    return true;
}

bool system_copies_launcher(void)
{
    return true;
}

const char *system_payload(handle file, uint64_t size, struct payload *payload)
{
    (void)file; /* what was appended reaches from the launcher's own end to the end of the file */
    *payload = (struct payload){0, size};
    return NULL;
}

bool system_has_origin(void)
{
    char first;
    return tells_origin || readlink("/proc/self/exe", &first, 1) == 1;
}

/* What a process of this number runs; false where it is not ours to know, or none. */
static bool inspect_process(const char *number, struct text *program, struct text *words)
{
    handle file;
    size_t got = 0;
    char *exe = path_join("/proc", number, "exe", NULL), *command = path_join("/proc", number, "cmdline", NULL);
    bool found = file_read_link(exe, program) == 0;
    text_clear(words);
    if (found && file_open(command, &file) == 0) {
        char *bytes = memory_raw(WORDS_MOST);
        if (file_read(file, bytes, WORDS_MOST, 0, &got) != 0)
            got = 0;
        for (size_t i = 0; i < got; i++)
            if (bytes[i] == '\0')
                bytes[i] = ' ';
        text_add_bytes(words, bytes, got);
        memory_free(bytes);
        file_close(file);
    }
    memory_free(command);
    memory_free(exe);
    return found;
}

void system_visit_processes(void (*see)(void *argument, const char *program, const char *words), void *argument)
{
    struct text numbers = {0}, program = {0}, words = {0};
    if (folder_list("/proc", &numbers) != 0)
        text_clear(&numbers);
    const char *end = text_of(&numbers) + numbers.size;
    for (const char *number = text_of(&numbers); number < end; number += strlen(number) + 1)
        if (*number >= '0' && *number <= '9' && inspect_process(number, &program, &words))
            see(argument, text_of(&program), text_of(&words));
    text_free(&words);
    text_free(&program);
    text_free(&numbers);
}
