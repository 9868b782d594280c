/* SPDX-License-Identifier: MIT */
/* system.h for Windows: writing a tree into a new folder of ours. A name that Windows reads as something else is refused. */
#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/windows/body.h"

struct tree {
    char *folder;
    bool lasting; /* files are read-only */
    struct text last_folder; /* the folder below it that was made last, with "/" at its end */
};

oserr tree_open(const char *folder, struct tree **tree)
{
    struct file_info info;
    oserr error = file_stat(folder, false, &info);
    if (error || info.kind != KIND_FOLDER)
        return error ? error : ERROR_DIRECTORY;
    *tree = memory(1, sizeof **tree);
    (*tree)->folder = text_copy(folder, strlen(folder));
    return 0;
}

void tree_make_read_only(struct tree *tree)
{
    tree->lasting = true;
}

/* CON, NUL.txt, COM1 and their like are devices in every folder. */
static bool is_device(const char *name, size_t size)
{
    static const char *const devices[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    size_t stem = 0;
    while (stem < size && name[stem] != '.' && name[stem] != ' ')
        stem++;
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (strlen(devices[i]) == stem && _strnicmp(name, devices[i], stem) == 0)
            return true;
    return stem == 4 && isdigit((unsigned char)name[3]) &&
           (_strnicmp(name, "COM", 3) == 0 || _strnicmp(name, "LPT", 3) == 0);
}

/* Whether each part of the path is a name that means itself. */
static bool is_plain(const char *path)
{
    while (*path) {
        size_t size = strcspn(path, "/");
        for (size_t i = 0; i < size; i++)
            if ((unsigned char)path[i] < ' ' || strchr("<>:\"\\|?*", path[i]))
                return false;
        if (size == 0 || path[size - 1] == '.' || path[size - 1] == ' ' || is_device(path, size))
            return false;
        path += size + (path[size] == '/');
    }
    return true;
}

/* Make the folders above `path`, unless they are those of the member before it. */
static oserr make_parents(struct tree *tree, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (!is_plain(path))
        return ERROR_INVALID_NAME;
    if (!size || (tree->last_folder.size == size + 1 && memcmp(tree->last_folder.data, path, size + 1) == 0))
        return 0;
    char *above = text_copy(path, size);
    char *whole = path_join(tree->folder, above, NULL);
    oserr error = folder_make_all(whole);
    text_clear(&tree->last_folder);
    if (!error)
        text_add_bytes(&tree->last_folder, path, size + 1);
    memory_free(whole);
    memory_free(above);
    return error;
}

oserr tree_file(struct tree *tree, const char *path, bool executable, handle *file)
{
    (void)executable;
    *file = NO_HANDLE;
    oserr error = make_parents(tree, path);
    if (error)
        return error;
    char *whole = path_join(tree->folder, path, NULL);
    error = file_create(whole, tree->lasting, file);
    memory_free(whole);
    return error;
}

oserr tree_link(struct tree *tree, const char *path, const char *target)
{
    (void)tree;
    return file_link(path, target);
}

oserr tree_folder(struct tree *tree, const char *path)
{
    oserr error = make_parents(tree, path);
    if (error)
        return error;
    char *whole = path_join(tree->folder, path, NULL);
    error = folder_make(whole);
    memory_free(whole);
    return system_classify(error) == CLASS_EXISTS ? 0 : error;
}

void tree_close(struct tree *tree)
{
    text_free(&tree->last_folder);
    memory_free(tree->folder);
    memory_free(tree);
}
