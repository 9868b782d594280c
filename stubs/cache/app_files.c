/* SPDX-License-Identifier: MIT */
/* One file of apps/<id>/: write it, or compare what stands there with what it must be. */
#include "cache/app_files.h"

#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/launcher.h"
#include "cache/paths.h"

#define COPY_PART ((size_t)1 << 16)

uint64_t app_launcher_size(const struct launcher *launcher)
{
    uint64_t size = UINT64_MAX;
    for (unsigned i = 0; i < launcher->bundle.layer_count; i++)
        if (launcher->bundle.layers[i].offset < size)
            size = launcher->bundle.layers[i].offset;
    return size;
}

/* Read a part of the bundle's launcher as it is in a copy: `got` is less than there is room for only at its end. */
static oserr read_launcher(const struct launcher *launcher, uint8_t *bytes, uint64_t at, size_t *got)
{
    uint64_t left = app_launcher_size(launcher) - at;
    oserr error = file_read(launcher->file, bytes, left < COPY_PART ? (size_t)left : COPY_PART, at, got);
    if (!error && at == 0)
        system_strip_signature(bytes, *got);
    return error;
}

/* ---- writing ---- */

static oserr copy_launcher(const struct launcher *launcher, handle file)
{
    uint8_t *bytes = memory_raw(COPY_PART);
    oserr error = 0;
    size_t got = COPY_PART; /* a bundle that became shorter is found out by the size of the copy */
    for (uint64_t at = 0; !error && got == COPY_PART; at += got) {
        error = read_launcher(launcher, bytes, at, &got);
        if (!error)
            error = tree_write(file, bytes, got);
    }
    memory_free(bytes);
    return error;
}

static oserr write_new(const struct launcher *launcher, const struct app_file *file, struct tree *tree)
{
    handle written;
    if (file->kind == APP_LINK)
        return tree_link(tree, file->path, file->content);
    oserr error = tree_file(tree, file->path, file->kind != APP_TEXT, &written);
    if (error)
        return error;
    error = file->kind == APP_LAUNCHER ? copy_launcher(launcher, written)
                                       : tree_write(written, file->content, strlen(file->content));
    oserr late = tree_close_file(written);
    return error ? error : late;
}

/* All copies of the launcher are one file where the disk has hard links. */
static bool write_hardlink(const struct launcher *launcher, const struct app_file *file, const char *folder, oserr *error)
{
    char *first = app_program(launcher->bundle.launch.name);
    char *original = path_join(folder, first, NULL), *path = path_join(folder, file->path, NULL);
    *error = strcmp(first, file->path) == 0 ? 0 : file_hardlink(path, original);
    bool written = strcmp(first, file->path) != 0 && (!*error || system_classify(*error) == CLASS_EXISTS);
    memory_free(path);
    memory_free(original);
    memory_free(first);
    return written;
}

oserr app_file_write(const struct launcher *launcher, const struct app_file *file, const char *folder)
{
    struct tree *tree;
    oserr error;
    if (file->kind == APP_LAUNCHER && write_hardlink(launcher, file, folder, &error))
        return error;
    error = tree_open(folder, &tree);
    if (error)
        return error;
    error = write_new(launcher, file, tree);
    tree_close(tree);
    return error;
}

/* ---- comparing ---- */

static bool holds_text(handle file, const char *text)
{
    size_t size = strlen(text), got;
    char *bytes = memory_raw(size + 1);
    bool same = file_read(file, bytes, size + 1, 0, &got) == 0 && got == size && memcmp(bytes, text, size) == 0;
    memory_free(bytes);
    return same;
}

static bool holds_launcher(const struct launcher *launcher, handle file)
{
    uint8_t *bytes = memory_raw(COPY_PART), *wanted = memory_raw(COPY_PART);
    bool same = true;
    size_t got = COPY_PART, expected = COPY_PART;
    for (uint64_t at = 0; same && expected == COPY_PART; at += expected)
        same = read_launcher(launcher, wanted, at, &expected) == 0 && file_read(file, bytes, COPY_PART, at, &got) == 0 &&
               got == expected && memcmp(bytes, wanted, got) == 0;
    memory_free(wanted);
    memory_free(bytes);
    return same;
}

static bool is_linked(const char *path, const char *target)
{
    struct text actual = {0};
    bool same = file_read_link(path, &actual) == 0 && strcmp(text_of(&actual), target) == 0;
    text_free(&actual);
    return same;
}

bool app_file_is_sound(const struct launcher *launcher, const struct app_file *file)
{
    handle opened;
    struct file_info info;
    char *path = app_path(launcher, file->path);
    bool same = file_stat(path, false, &info) == 0 && info.kind == (file->kind == APP_LINK ? KIND_LINK : KIND_FILE);
    if (file->kind != APP_TEXT && file->kind != APP_LINK && system_has_modes())
        same = same && info.executable;
    if (same && file->kind == APP_LINK) {
        same = is_linked(path, file->content);
    } else if (same && (same = file_open(path, &opened) == 0)) {
        same = file->kind == APP_LAUNCHER ? holds_launcher(launcher, opened) : holds_text(opened, file->content);
        file_close(opened);
    }
    memory_free(path);
    return same;
}
