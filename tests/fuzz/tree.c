/* SPDX-License-Identifier: MIT */
/* A tar is written to a real folder: nothing appears beside it, and what was written compares as the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_codes.h"
#include "format/tar.h"
#include "harness.h"

static char scratch[] = "/tmp/pypack-fuzz-XXXXXX";

static void remove_scratch(void)
{
    folder_remove(scratch);
}

/* A folder of this process with one folder in it, which the tar goes to. */
static char *fresh_folder(void)
{
    static bool made;
    if (!made) {
        must(mkdtemp(scratch) != NULL);
        atexit(remove_scratch);
        made = true;
    }
    char *folder = path_join(scratch, "tree", NULL);
    must(folder_make(folder) == 0);
    return folder;
}

static int read_into(struct sink *sink, const uint8_t *bytes, size_t size, struct fault *fault)
{
    struct tar tar = {.sink = sink};
    int code = tar_take(&tar, bytes, size, fault);
    if (code == EXIT_FINE)
        code = tar_finish(&tar, fault);
    sink->close(sink);
    tar_free(&tar);
    return code;
}

/* Only what the tar's own folder holds may have changed. */
static void check_scratch(void)
{
    struct text names = {0};
    must(folder_list(scratch, &names) == 0);
    must(names.size == sizeof "tree" && strcmp(names.data, "tree") == 0);
    text_free(&names);
}

FUZZ(tree)
{
    uint8_t *bytes = exact(data, size);
    char *folder = fresh_folder();
    struct sink_maker writing = {.make = writing_sink, .folder = folder};
    struct sink_maker comparing = {.make = comparing_sink, .folder = folder};
    struct fault fault = {0};
    mend_tar(bytes, size);
    struct sink *sink = writing_sink(&writing, &fault);
    must(sink != NULL);
    int code = read_into(sink, bytes, size, &fault);
    check_scratch();
    must(code == EXIT_FINE || code == EXIT_PAYLOAD || code == TRY_NEXT_CACHE); /* the last goes without a remedy */
    fault_clear(&fault);
    if (code == EXIT_FINE)
        must(read_into(comparing_sink(&comparing, &fault), bytes, size, &fault) == EXIT_FINE);
    must(folder_remove(folder) == 0);
    memory_free(folder);
    free(bytes);
    return 0;
}
