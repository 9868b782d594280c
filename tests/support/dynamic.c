/*
 * Stands in for Python where musl's loader starts it: needs a library from the folder that the loader is told, loads a module,
 * and starts itself again the way Python's children are started (by argv[0]), as deep as its argument says.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int helped(void);

static void tell(void)
{
    char name[32] = "", *preload = getenv("LD_PRELOAD");
    FILE *stream = fopen("/proc/self/comm", "r");
    if (!stream || !fgets(name, sizeof name, stream))
        strcpy(name, "unknown\n");
    if (stream)
        fclose(stream);
    printf("preload %s helped %d name %s", preload ? preload : "none", helped(), name);
    fflush(stdout);
}

int main(int count, char **words)
{
    printf("started %s words %d\n", words[0], count);
    tell();
    const char *last = words[count - 1];
    if (strncmp(last, "module=", 7) == 0) {
        void *module = dlopen(last + 7, RTLD_NOW);
        int (*answer)(void) = module ? (int (*)(void))dlsym(module, "answer") : NULL;
        printf("module %s\n", answer && answer() == 42 ? "loaded" : dlerror());
    }
    int depth = strncmp(last, "depth=", 6) == 0 ? atoi(last + 6) : 0;
    fflush(stdout);
    if (depth == 0)
        return 7;
    char next[32];
    snprintf(next, sizeof next, "depth=%d", depth - 1);
    pid_t child = fork();
    if (child == 0) {
        execl(words[0], words[0], next, (char *)NULL);
        perror(words[0]);
        _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
