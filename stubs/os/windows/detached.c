/* SPDX-License-Identifier: MIT */
/* system.h for Windows: work that a start does not wait for. Python runs in this process, and so does a thread beside it. */
#include "base/memory.h"
#include "base/system.h"
#include "os/windows/body.h"

struct call {
    void (*work)(void *);
    void *argument;
};

static DWORD WINAPI call_work(void *given)
{
    struct call call = *(struct call *)given;
    memory_free(given);
    SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN); /* disk accesses too */
    call.work(call.argument);
    return 0;
}

/* It ends with the program; what is left then is for a later start. */
bool system_run_detached(void (*work)(void *), void *argument)
{
    struct call *call = memory(1, sizeof *call);
    *call = (struct call){work, argument};
    HANDLE thread = CreateThread(NULL, 0, call_work, call, 0, NULL);
    if (!thread) {
        memory_free(call);
        return false;
    }
    CloseHandle(thread);
    return true;
}

void system_ignore_size_limit(bool begin)
{
    (void)begin; /* a file that gets too long is an error here */
}
