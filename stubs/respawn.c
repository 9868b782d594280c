/* SPDX-License-Identifier: MIT */
/*
 * Words that are for an interpreter: those of a worker, a tracker or a server of multiprocessing and its kin. A program that has
 * set the bundle as the executable of its children would be run again by each of them, and by each of theirs, without an end.
 */
#include "respawn.h"

#include <string.h>

#include "base/report.h"
#include "cache/launcher.h"
#include "exit_codes.h"

static bool is_among(const char *word, size_t size, const char *const *words, bool at_end)
{
    for (; *words; words++) {
        size_t length = strlen(*words);
        if (length <= size && (at_end || length == size) && memcmp(word + size - length, *words, length) == 0)
            return true;
    }
    return false;
}

/* `from multiprocessing.spawn import spawn_main; ...`, as the text behind -c. */
static bool is_command(const char *text)
{
    static const char begin[] = "from ";
    static const char *const modules[] = {"multiprocessing", "multiprocess", "billiard", "loky", "backend", NULL};
    static const char *const parts[] = {".spawn", ".resource_tracker", ".semaphore_tracker", ".forkserver", NULL};
    if (strncmp(text, begin, sizeof begin - 1) != 0)
        return false;
    text += sizeof begin - 1;
    size_t size = strcspn(text, " "), last = size;
    while (last && text[last] != '.')
        last--;
    return is_among(text, size, parts, true) && is_among(text, last, modules, true) &&
           strncmp(text + size, " import ", 8) == 0;
}

bool is_child_command(char *const *words)
{
    static const char *const marks[] = {"--multiprocessing-fork", "--billiard-fork", NULL};
    static const char *const modules[] = {".popen_loky_posix", ".popen_loky_win32", NULL};
    for (words += *words != NULL; *words; words++) {
        if (is_among(*words, strlen(*words), marks, false))
            return true;
        if (strcmp(*words, "-c") == 0 && words[1])
            return is_command(words[1]);
        if (strcmp(*words, "-m") == 0 && words[1])
            return is_among(words[1], strlen(words[1]), modules, true);
        if (**words != '-')
            return false; /* -B, -E and the like stand in front of what Python is to run */
    }
    return false;
}

int refuse_child(struct launcher *launcher)
{
    return fault_set(&launcher->fault, EXIT_CHILD,
                     "tell whoever made it: children are started by sys.executable, and no other one is set",
                     "the program has started itself again by mistake, in the place of a helper of its own (sys.executable)");
}
