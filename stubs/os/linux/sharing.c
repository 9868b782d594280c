/* SPDX-License-Identifier: MIT */
/* Who else may use a folder: other machines, by its file system; other containers, by this process's view of processes. */
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "os/posix/posix.h"

#define FACT_MOST 256
#define FIRST_PROCESSES "pid:[4026531836]" /* PROC_PID_INIT_INO: the namespace that sees all processes of the machine */

/*
 * File systems of one machine: its kernel knows of all locks. Whatever is not here may be another machine's too (NFS, SMB, 9p,
 * virtiofs, FUSE, Ceph, Lustre, GPFS, OCFS2, GFS2, ...). The numbers are those of linux/magic.h and of the file systems' own
 * sources.
 */
static const unsigned long known[] = {
    0xEF53,     /* ext2, ext3, ext4 */
    0x58465342, /* xfs */
    0x9123683E, /* btrfs */
    0x01021994, /* tmpfs */
    0x858458F6, /* ramfs */
    0xF2F52010, /* f2fs */
    0x2FC12FC1, /* zfs */
    0xCA451A4E, /* bcachefs */
    0x3153464A, /* jfs */
    0x52654973, /* reiserfs */
    0x3434,     /* nilfs2 */
    0x4D44,     /* vfat */
    0x2011BAB0, /* exfat */
    0x7366746E, /* ntfs3 */
    0xF15F,     /* ecryptfs */
};

#define OVERLAY 0x794C7630UL /* a container's own, but a lock on a file of its image ends when the file is first written to */

/* Its number; 0 where it cannot be told. */
static unsigned long find_file_system(const char *path)
{
    struct statfs disk;
    char *nearest = posix_nearest_existing(path);
    bool is_known = statfs(nearest, &disk) == 0;
    memory_free(nearest);
    return is_known ? (unsigned long)disk.f_type & 0xFFFFFFFFUL : 0;
}

static bool is_of_one_machine(unsigned long kind)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (kind == known[i])
            return true;
    return false;
}

static bool sees_all_processes(void)
{
    struct text link = {0};
    bool first = file_read_link("/proc/self/ns/pid", &link) == 0 && strcmp(text_of(&link), FIRST_PROCESSES) == 0;
    text_free(&link);
    return first;
}

enum root_visibility root_visibility(const struct cache_root *root, const char **why)
{
    *why = "";
    unsigned long kind = find_file_system(root->path);
    if (kind == OVERLAY) {
        *why = "what comes with an image changes its locks when it is written to";
        return VISIBLE_LOCKS;
    }
    if (!is_of_one_machine(kind)) {
        *why = "its file system may be one that other machines use too";
        return VISIBLE_NOTHING;
    }
    if (!sees_all_processes()) {
        *why = "not all processes of this machine can be seen from here";
        return VISIBLE_LOCKS;
    }
    return VISIBLE_ALL;
}

/* What a small file says, or a link; false if there is none. */
static bool add_fact(struct text *facts, const char *path)
{
    handle file;
    char bytes[FACT_MOST];
    size_t got = 0;
    if (file_open(path, &file) != 0)
        return false;
    bool is_known = file_read(file, bytes, sizeof bytes, 0, &got) == 0 && got;
    file_close(file);
    text_add_bytes(facts, bytes, got);
    return is_known;
}

bool system_identify(struct text *facts)
{
    struct utsname names;
    struct text link = {0};
    bool known_here = add_fact(facts, "/proc/sys/kernel/random/boot_id");
    known_here = file_read_link("/proc/self/ns/pid", &link) == 0 && known_here;
    text_add(facts, text_of(&link));
    text_free(&link);
    if (!add_fact(facts, "/etc/machine-id") && uname(&names) == 0)
        text_add(facts, names.nodename);
    return known_here;
}
