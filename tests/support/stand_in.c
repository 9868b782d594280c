/* Stands in for Python in the launcher's tests: tells what it was started with, one fact a line, then waits if asked to. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void hex(const char *name, const char *text)
{
    printf("%s ", name);
    for (; *text; text++)
        printf("%02x", (unsigned)(unsigned char)*text);
    printf("\n");
}

int main(int count, char **words)
{
    for (int i = 0; i < count; i++)
        hex("word", words[i]);
    for (char **variable = environ; *variable; variable++)
        hex("variable", *variable);
    for (int file = 0; file < 64; file++)
        if (fcntl(file, F_GETFD) >= 0)
            printf("open %d\n", file);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        if (sigismember(&blocked, number) == 1)
            printf("blocked %d\n", number);
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf("ignored %d\n", number);
    }
    mode_t mask = umask(0);
    printf("umask %o\n", (unsigned)mask);
    char *here = getcwd(NULL, 0);
    hex("folder", here ? here : "");
    fflush(stdout);
    const char *wait = getenv("STAND_IN_WAIT");
    if (wait)
        sleep((unsigned)atoi(wait));
    const char *code = getenv("STAND_IN_CODE");
    return code ? atoi(code) : 0;
}
