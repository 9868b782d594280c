/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: errors, the process itself, threads, and becoming Python. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "os/posix/posix.h"

#define FILES_FOR_THREADS 64

extern char **environ;

uint64_t system_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void system_sleep(unsigned milliseconds)
{
    struct timespec span = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
    nanosleep(&span, NULL);
}

/* Each thread that unpacks has a few files open: where few may be, one has to do. */
unsigned system_cores(void)
{
    struct rlimit files;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_FOR_THREADS)
        return 1;
    return count > 0 ? (unsigned)count : 1;
}

unsigned long system_process(void)
{
    return (unsigned long)getpid();
}

bool system_is_running(unsigned long process)
{
    return kill((pid_t)process, 0) == 0 || errno != ESRCH;
}

bool system_is_terminal(void)
{
    int before = errno;
    bool terminal = isatty(STDERR_FILENO);
    errno = before;
    return terminal;
}

static void write_all(int file, const char *bytes, size_t size)
{
    while (size) {
        ssize_t done = write(file, bytes, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* nobody listens */
        bytes += done;
        size -= (size_t)done;
    }
}

void system_write_error(const char *bytes, size_t size)
{
    write_all(STDERR_FILENO, bytes, size);
}

void system_show_error(const char *bytes, size_t size)
{
    write_all(STDERR_FILENO, bytes, size);
}

void system_write_output(const char *bytes, size_t size)
{
    write_all(STDOUT_FILENO, bytes, size);
}

struct call {
    void (*work)(void *);
    void *argument;
};

static void *call_work(void *given)
{
    const struct call *call = given;
    call->work(call->argument);
    return NULL;
}

void system_parallel(unsigned count, void (*work)(void *), void *argument)
{
    struct call call = {work, argument};
    pthread_t *threads = memory(count, sizeof *threads);
    unsigned started = 0;
    while (started + 1 < count && pthread_create(&threads[started], NULL, call_work, &call) == 0)
        started++;
    work(argument);
    while (started)
        pthread_join(threads[--started], NULL);
    memory_free(threads);
}

static bool is_among(const char *variable, const char *const *names)
{
    for (; *names; names++) {
        const char *name = *names, *at = variable;
        while (*name && *name == *at)
            name++, at++;
        if (!*name && *at == '=')
            return true;
    }
    return false;
}

/* Whether one of the variables has the name of `added` ("NAME=value"). */
static bool has_name_of(char *const *variables, size_t count, const char *added)
{
    size_t name = strcspn(added, "=") + 1;
    for (size_t i = 0; i < count; i++)
        if (strncmp(variables[i], added, name) == 0)
            return true;
    return false;
}

/* For a program with rights that its caller has not: nearly any variable changes the code of some library or child. */
static bool is_harmless(const char *variable)
{
    static const char *const names[] = {"LANG", "LANGUAGE", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES", NULL};
    bool zone = strncmp(variable, "TZ=", 3) == 0 && !strchr(variable, '/');
    return zone || is_among(variable, names) || strncmp(variable, "LC_", 3) == 0;
}

/*
 * What would change the code that a Python with rights of its file runs: its own variables, and those that C libraries leave out
 * in such a program, but no longer in the one that it becomes.
 */
static bool is_unsafe(const char *variable)
{
    static const char *const beginnings[] = {"PYTHON", "LD_", "MALLOC_", NULL};
    static const char *const names[] = {"GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN",
                                        "LOCPATH",    "NIS_PATH",    "NLSPATH",        "RESOLV_HOST_CONF",
                                        "RES_OPTIONS", "TMPDIR",     "TZDIR",          NULL};
    for (const char *const *beginning = beginnings; *beginning; beginning++)
        if (strncmp(variable, *beginning, strlen(*beginning)) == 0)
            return true;
    return is_among(variable, names);
}

char **posix_environment(const struct changes *changes)
{
    static const char prefix[] = HIDDEN;
    const bool privileged = system_is_privileged();
    size_t count = 0, kept = 0, more = 0, room = 0;
    for (; environ && environ[count]; count++)
        if (is_among(environ[count], changes->hidden))
            room += sizeof prefix + strlen(environ[count]);
    while (changes->added[more])
        more++;
    char **passed = memory(1, (count + more + 1) * sizeof *passed + room); /* the names that are made stand behind the list */
    char *name = (char *)(passed + count + more + 1);
    for (size_t i = 0; i < count; i++) {
        bool made_up = strncmp(environ[i], prefix, sizeof prefix - 1) == 0; /* only we give such names */
        if (made_up || is_among(environ[i], changes->forgotten) || (privileged && is_unsafe(environ[i])) ||
            (changes->strict && !is_harmless(environ[i])))
            continue;
        passed[kept++] = environ[i];
        if (!is_among(environ[i], changes->hidden))
            continue;
        size_t size = strlen(environ[i]) + 1;
        passed[kept - 1] = name;
        memcpy(name, prefix, sizeof prefix - 1);
        memcpy(name + sizeof prefix - 1, environ[i], size);
        name += sizeof prefix - 1 + size;
    }
    for (size_t i = 0; i < more; i++)
        if (!has_name_of(passed, kept, changes->added[i]))
            passed[kept++] = changes->added[i];
    return passed;
}

oserr system_exec(const char *path, char *const *words, const struct changes *changes)
{
    char **passed = posix_environment(changes);
    execve(path, words, passed);
    oserr error = errno;
    memory_free(passed);
    return error;
}
