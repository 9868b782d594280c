/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: errors, the process itself, threads, and becoming Python. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"

#define FILES_FOR_THREADS 64

extern char **environ;

enum meaning system_meaning(oserr error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return MEANS_MISSING;
    case EEXIST:
    case ENOTEMPTY:
        return MEANS_EXISTS;
    case EWOULDBLOCK:
    case EINTR:
        return MEANS_BUSY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EROFS:
    case EACCES:
    case EPERM:
    case EIO:
    case ENAMETOOLONG:
        return MEANS_NO_PLACE;
    default:
        return MEANS_OTHER;
    }
}

const char *system_text(oserr error)
{
    return strerror(error);
}

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

bool system_is_terminal(void)
{
    int before = errno;
    bool terminal = isatty(STDERR_FILENO);
    errno = before;
    return terminal;
}

static void put(int file, const char *bytes, size_t size)
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

void system_say(const char *bytes, size_t size)
{
    put(STDERR_FILENO, bytes, size);
}

void system_alarm(const char *bytes, size_t size)
{
    put(STDERR_FILENO, bytes, size);
}

void system_print(const char *bytes, size_t size)
{
    put(STDOUT_FILENO, bytes, size);
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

static bool is_named(const char *variable, const char *const *names)
{
    for (; *names; names++) {
        size_t size = strlen(*names);
        if (strncmp(variable, *names, size) == 0 && variable[size] == '=')
            return true;
    }
    return false;
}

oserr system_become(const char *path, char *const *words, const char *const *forget, char *extra)
{
    size_t count = 0, kept = 0, name = extra ? strcspn(extra, "=") + 1 : 0;
    while (environ && environ[count])
        count++;
    for (size_t i = 0; extra && i < count; i++)
        if (strncmp(environ[i], extra, name) == 0)
            extra = NULL;
    char **passed = memory(count + 2, sizeof *passed);
    for (size_t i = 0; i < count; i++)
        if (!is_named(environ[i], forget))
            passed[kept++] = environ[i];
    if (extra)
        passed[kept++] = extra;
    execve(path, words, passed);
    oserr error = errno;
    memory_free(passed);
    return error;
}
