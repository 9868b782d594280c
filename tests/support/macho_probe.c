/*
 * Finds the payload of a Mach-O file by the macOS launcher's own code, on any system.
 *
 *     probe FILE PROCESSOR          prints its place, or what is wrong
 *     probe FILE PROCESSOR BYTES    damages the first BYTES bytes in every way it knows, and cuts the file at each of them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "os/macos/macho.h"

struct file {
    uint8_t *bytes;
    size_t size;
};

void system_show_error(const char *bytes, size_t size)
{
    (void)bytes, (void)size;
    abort(); /* there is no memory */
}

static bool read_file(void *from, void *bytes, size_t size, uint64_t offset)
{
    const struct file *file = from;
    if (offset > file->size || size > file->size - offset)
        abort(); /* the code under test checks that itself */
    memcpy(bytes, file->bytes + offset, size);
    return true;
}

/* What the first `size` bytes of a file are taken for. */
static const char *look(const struct file *whole, size_t size, uint32_t processor, uint64_t *base, uint64_t *length)
{
    struct file file = {whole->bytes, size};
    struct macho_source source = {read_file, &file, size};
    const char *why = macho_payload(&source, processor, base, length);
    if (!why && (*base > size || *length > size - *base))
        abort();
    if (why && (*base || *length))
        abort();
    return why;
}

static void damage(const struct file *file, size_t bytes, uint32_t processor)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    uint64_t base, size;
    for (size_t cut = 0; cut < bytes; cut++)
        if (!look(file, cut, processor, &base, &size) && size)
            abort(); /* the payload stands behind what is damaged here */
    for (size_t at = 0; at < bytes; at++) {
        uint8_t before = file->bytes[at];
        for (size_t i = 0; i < sizeof values; i++) {
            file->bytes[at] = values[i];
            look(file, file->size, processor, &base, &size);
        }
        file->bytes[at] = before;
    }
    srand(1);
    for (int round = 0; round < 20000; round++) {
        size_t at[4];
        uint8_t before[4];
        for (int i = 0; i < 4; i++) {
            at[i] = (size_t)rand() % bytes;
            before[i] = file->bytes[at[i]];
            file->bytes[at[i]] = (uint8_t)rand();
        }
        look(file, file->size, processor, &base, &size);
        for (int i = 3; i >= 0; i--)
            file->bytes[at[i]] = before[i];
    }
}

int main(int count, char **words)
{
    FILE *stream = count > 2 ? fopen(words[1], "rb") : NULL;
    if (!stream)
        return 2;
    fseek(stream, 0, SEEK_END);
    struct file file = {NULL, (size_t)ftell(stream)};
    rewind(stream);
    file.bytes = malloc(file.size + 1);
    if (fread(file.bytes, 1, file.size, stream) != file.size)
        return 2;
    fclose(stream);
    uint32_t processor = strcmp(words[2], "aarch64") == 0 ? MACHO_ARM64 : MACHO_X86_64;
    uint64_t base, size;
    if (count > 3) {
        damage(&file, (size_t)strtoul(words[3], NULL, 10), processor);
    } else {
        const char *why = look(&file, file.size, processor, &base, &size);
        if (why)
            printf("%s\n", why);
        else
            printf("%llu %llu\n", (unsigned long long)base, (unsigned long long)size);
    }
    free(file.bytes);
    return 0;
}
