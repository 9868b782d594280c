/* SPDX-License-Identifier: MIT */
/* system.h for Linux: the process itself, and its own file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix.h"

#define WORDS_MOST ((size_t)1 << 16)

const char *system_variable(const char *name)
{
    return secure_getenv(name); /* who starts a setuid file gets no say in what it does */
}

bool system_has_sha256(void)
{
    const unsigned long sha2 = 1UL << 6; /* HWCAP_SHA2 of AArch64; only asked there */
    return (getauxval(AT_HWCAP) & sha2) != 0;
}

static const char *started_file(void)
{
    return (const char *)(uintptr_t)getauxval(AT_EXECFN); // NOLINT: the kernel hands a pointer over as a number
}

const char *system_called_as(const char *argv0)
{
    const char *file = started_file();
    return strchr(argv0, '/') || !file ? argv0 : file;
}

/* What the link /proc/self/exe says; a file that was removed meanwhile has " (deleted)" behind its name. */
static bool linked_self(struct text *path)
{
    static const char removed[] = " (deleted)";
    if (file_read_link("/proc/self/exe", path) != 0)
        return false;
    size_t tail = sizeof removed - 1;
    if (path->size > tail && strcmp(path->data + path->size - tail, removed) == 0)
        path->data[path->size -= tail] = '\0';
    return true;
}

bool system_self(unsigned way, struct text *path, handle *file, uint64_t *size, oserr *error)
{
    const char *name = way == 0 ? "/proc/self/exe" : started_file();
    if (way > 1 || !name)
        return false;
    *error = file_open(name, file);
    if (*error)
        return true;
    struct stat info;
    *error = fstat((int)*file, &info) == 0 ? 0 : errno;
    *size = *error ? 0 : (uint64_t)info.st_size;
    text_clear(path);
    if (way == 0 && linked_self(path))
        return true;
    char *real = realpath(name, NULL);
    text_add(path, real ? real : name);
    free(real);
    return true;
}

const char *system_payload(handle file, uint64_t size, struct payload *payload)
{
    (void)file; /* what was appended reaches from the launcher's own end to the end of the file */
    *payload = (struct payload){0, size};
    return NULL;
}

bool system_tells_origin(void)
{
    char first;
    return readlink("/proc/self/exe", &first, 1) == 1;
}

/* What a process of this number runs; false where it is not ours to know, or none. */
static bool look_at_process(const char *number, struct text *program, struct text *words)
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

void system_processes(void (*see)(void *argument, const char *program, const char *words), void *argument)
{
    struct text numbers = {0}, program = {0}, words = {0};
    if (folder_list("/proc", &numbers) != 0)
        text_clear(&numbers);
    const char *end = text_of(&numbers) + numbers.size;
    for (const char *number = text_of(&numbers); number < end; number += strlen(number) + 1)
        if (*number >= '0' && *number <= '9' && look_at_process(number, &program, &words))
            see(argument, text_of(&program), text_of(&words));
    text_free(&words);
    text_free(&program);
    text_free(&numbers);
}
