/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: work that a start does not wait for, and the signal that writing can end in. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/system.h"
#include "os/posix/posix.h"

static struct sigaction before;
static bool ignoring;

/* An ignored signal stays ignored in the program that this process becomes: so it is put back. */
void system_ignore_size_limit(bool begin)
{
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    if (begin && !ignoring)
        ignoring = sigaction(SIGXFSZ, &ignored, &before) == 0;
    else if (!begin && ignoring)
        ignoring = sigaction(SIGXFSZ, &before, NULL) != 0;
}

/*
 * Away from the terminal and its signals, from the pipes that somebody reads to their end, from locks (the program's own among
 * them), and from the disk that the working folder is on.
 */
static void let_go_of_everything(void)
{
    (void)setsid();
    int nothing = open("/dev/null", O_RDWR | O_NOCTTY);
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        if (nothing < 0 || dup2(nothing, file) < 0)
            close(file);
    root_close(); /* what is removed is looked up by its whole path, which has no link in it */
    posix_lower_priority(STDERR_FILENO + 1);
    if (chdir("/") != 0)
        _exit(0);
}

static bool waits_for_child(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 && sigismember(&waiting, SIGCHLD) == 1;
}

/* Where the signal is blocked, the program would get it for a child that it does not have. */
static void forget_child(void)
{
    int signal;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (waits_for_child())
        (void)sigwait(&child, &signal);
}

/*
 * The child's own child does the work and belongs to nobody: no zombie is left, and the program has no child that it did not
 * start. Where this process is number 1 it would become its child nevertheless.
 */
bool system_run_detached(void (*work)(void *), void *argument)
{
    bool waited = waits_for_child();
    pid_t child = getpid() == 1 ? -1 : fork();
    if (child < 0)
        return false;
    if (child == 0) {
        if (fork() == 0) {
            let_go_of_everything();
            work(argument);
        }
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (!waited)
        forget_child();
    return true;
}
