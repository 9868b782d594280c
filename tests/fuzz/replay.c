/* SPDX-License-Identifier: MIT */
/* Gives files to a harness without a fuzzer: replay HARNESS FILE... prints how many it took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define HARNESSES(each)                                                                                                \
    each(bundle) each(frames) each(launch_block) each(layer) each(macho) each(pe) each(tar) each(trailer) each(tree)   \
    each(zip)
#define DECLARE(name) int fuzz_##name(const uint8_t *data, size_t size);
#define ROW(name) {#name, fuzz_##name},
HARNESSES(DECLARE)

static const struct {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
} harnesses[] = {HARNESSES(ROW)};

static void give(int (*run)(const uint8_t *, size_t), const char *path)
{
    handle file;
    struct file_info info;
    size_t got;
    must(file_stat(path, true, &info) == 0 && file_open(path, &file) == 0);
    uint8_t *bytes = memory_raw((size_t)info.size);
    must(file_read(file, bytes, (size_t)info.size, 0, &got) == 0 && got == info.size);
    file_close(file);
    run(bytes, got);
    memory_free(bytes);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof harnesses / sizeof *harnesses; i++) {
        if (strcmp(harnesses[i].name, argv[1]) != 0)
            continue;
        for (int file = 2; file < argc; file++)
            give(harnesses[i].run, argv[file]);
        printf("%d\n", argc - 2);
        return 0;
    }
    fprintf(stderr, "usage: replay HARNESS FILE...\n");
    return 2;
}
