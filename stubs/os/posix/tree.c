/* SPDX-License-Identifier: MIT */
/* system.h for POSIX: writing a tree with few system calls. The folders of the last path are kept open. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#define DEEPEST 64 /* open folders at most; a deeper path is refused */

struct tree {
    int folders[DEEPEST + 1];  /* [0] is the tree itself */
    size_t ends[DEEPEST + 1];  /* where the name of folder i ends in `path` */
    size_t depth;
    struct text path; /* of the innermost open folder */
    mode_t modes;     /* of a file that can be executed */
};

oserr tree_open(const char *folder, struct tree **tree)
{
    int from = posix_resolve(&folder);
    int top = posix_avoid_standard(openat(from, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (top < 0)
        return errno;
    *tree = memory(1, sizeof **tree);
    (*tree)->folders[0] = top;
    (*tree)->modes = 0755;
    return 0;
}

void tree_make_read_only(struct tree *tree)
{
    tree->modes = 0555;
}

static int open_folder(int above, const char *name)
{
    return posix_avoid_standard(openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/* Where few files may be open at once: close the folders between the outermost and the innermost. False: none was open. */
static bool close_middle_folders(struct tree *tree)
{
    bool freed = false;
    for (size_t depth = 1; depth < tree->depth; depth++) {
        if (tree->folders[depth] < 0)
            continue;
        close(tree->folders[depth]);
        tree->folders[depth] = -1;
        freed = true;
    }
    return freed;
}

/* Open again what was closed then, from the outermost folder on, never through a link. */
static oserr reopen_innermost(struct tree *tree)
{
    int folder = tree->folders[0];
    for (size_t depth = 1; tree->folders[tree->depth] < 0; depth++) {
        size_t begin = depth > 1 ? tree->ends[depth - 1] + 1 : 0;
        char *name = text_copy(tree->path.data + begin, tree->ends[depth] - begin);
        int next = open_folder(folder, name);
        oserr error = next < 0 ? errno : 0;
        memory_free(name);
        if (folder != tree->folders[0])
            close(folder);
        if (error)
            return error;
        folder = next;
        if (depth == tree->depth)
            tree->folders[depth] = folder;
    }
    return 0;
}

static oserr leave_to_depth(struct tree *tree, size_t depth)
{
    for (; tree->depth > depth; tree->depth--)
        if (tree->folders[tree->depth] >= 0)
            close(tree->folders[tree->depth]);
    tree->path.size = tree->ends[depth];
    return reopen_innermost(tree);
}

/* Leave the folders that are not above `path`. */
static oserr leave_for_path(struct tree *tree, const char *path)
{
    size_t depth = 0;
    while (depth < tree->depth) {
        size_t end = tree->ends[depth + 1];
        if (strncmp(tree->path.data, path, end) != 0 || path[end] != '/')
            break;
        depth++;
    }
    return leave_to_depth(tree, depth);
}

static oserr enter_folder(struct tree *tree, const char *name)
{
    int above = tree->folders[tree->depth];
    if (tree->depth == DEEPEST)
        return ENAMETOOLONG;
    if (mkdirat(above, name, 0755) != 0 && errno != EEXIST)
        return errno;
    int folder = open_folder(above, name);
    while (folder < 0 && (errno == EMFILE || errno == ENFILE) && close_middle_folders(tree))
        folder = open_folder(above, name);
    if (folder < 0)
        return errno == ENOTDIR || errno == ELOOP ? EEXIST : errno;
    if (tree->depth)
        text_add(&tree->path, "/");
    text_add(&tree->path, name);
    tree->folders[++tree->depth] = folder;
    tree->ends[tree->depth] = tree->path.size;
    return 0;
}

/* Open the folders above `path`, making what is missing; `name` becomes its last part. */
static oserr enter_parents(struct tree *tree, const char *path, const char **name)
{
    oserr error = leave_for_path(tree, path);
    if (error)
        return error;
    const char *rest = path + tree->ends[tree->depth] + (tree->depth ? 1 : 0);
    for (const char *slash; (slash = strchr(rest, '/')) != NULL; rest = slash + 1) {
        char *folder = text_copy(rest, (size_t)(slash - rest));
        error = enter_folder(tree, folder);
        memory_free(folder);
        if (error)
            return error;
    }
    *name = rest;
    return 0;
}

oserr tree_file(struct tree *tree, const char *path, bool executable, handle *file)
{
    const char *name;
    *file = NO_HANDLE;
    oserr error = enter_parents(tree, path, &name);
    if (error)
        return error;
    do
        *file = posix_avoid_standard(openat(tree->folders[tree->depth], name,
                                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                            executable ? tree->modes : tree->modes & 0666));
    while (*file < 0 && (errno == EMFILE || errno == ENFILE) && close_middle_folders(tree));
    return *file < 0 ? errno : 0;
}

oserr tree_write(handle file, const void *bytes, size_t size)
{
    return posix_write((int)file, bytes, size);
}

oserr tree_close_file(handle file)
{
    return file_close(file);
}

oserr tree_link(struct tree *tree, const char *path, const char *target)
{
    const char *name;
    oserr error = enter_parents(tree, path, &name);
    if (error)
        return error;
    return symlinkat(target, tree->folders[tree->depth], name) == 0 ? 0 : errno;
}

oserr tree_folder(struct tree *tree, const char *path)
{
    const char *name;
    oserr error = enter_parents(tree, path, &name);
    return error ? error : enter_folder(tree, name);
}

void tree_close(struct tree *tree)
{
    (void)leave_to_depth(tree, 0);
    close(tree->folders[0]);
    text_free(&tree->path);
    memory_free(tree);
}
