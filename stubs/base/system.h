/* SPDX-License-Identifier: MIT */
/*
 * All that the launcher asks of the operating system. os/posix implements it together with os/linux or os/macos, os/windows
 * does on Windows; nothing else in the launcher knows the system.
 * Paths are zero-terminated bytes with "/". An `oserr` is 0 or the system's own error number.
 */
#ifndef PYPACK_BASE_SYSTEM_H
#define PYPACK_BASE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

typedef int oserr;
typedef intptr_t handle;
#define NO_HANDLE ((handle)-1)

/* What the launcher makes of an error number. */
enum error_class {
    CLASS_MISSING,      /* it is not there */
    CLASS_EXISTS,       /* it is there already, or a folder is not empty */
    CLASS_BUSY,         /* somebody else holds the lock */
    CLASS_UNWRITABLE,   /* full, read-only, not permitted: another folder may do */
    CLASS_UNSUPPORTED,  /* this system has no files of that name or kind */
    CLASS_CROSS_DEVICE, /* it would have to be copied to get there */
    CLASS_OTHER
};
enum error_class system_classify(oserr error);
const char *system_text(oserr error);

/* ---- this process ---- */

const char *system_variable(const char *name);
/* Whether this file gives rights that its caller has not: what the caller says then counts for nothing. */
bool system_is_privileged(void);
/*
 * Capabilities of a file end at exec, and Python is another file: hand them on. Whoever can write to the cache has their code run
 * with them, so `all` are for a cache of the administrator's; of the others only the one that merely opens low ports. Says
 * whether more than that is handed on, or a user: then the caller's variables are to be mistrusted.
 */
bool system_pass_rights(bool all);
uint64_t system_clock(void);
void system_sleep(unsigned milliseconds);
unsigned system_cores(void);
unsigned long system_process(void);
bool system_is_running(unsigned long process); /* also where that cannot be found out */
/* What tells this start of this machine from any other one, and its process numbers from those of other containers. */
bool system_identify(struct text *facts);
bool system_is_terminal(void); /* of standard error */
void system_write_error(const char *bytes, size_t size);   /* to standard error */
void system_show_error(const char *bytes, size_t size); /* likewise; in a window where a program has nothing else */
void system_write_output(const char *bytes, size_t size); /* to standard output */
bool system_has_sha256(void); /* instructions for it, where that cannot be asked of the processor itself */

/*
 * Open the file that was started. There may be several ways to find it: `way` counts from 0, false means that there are no
 * more. `path` becomes its real absolute path.
 */
bool system_self(unsigned way, struct text *path, handle *file, uint64_t *size, oserr *error);
/*
 * Where in that file the payload lies: all of it, a section of it, or what is in front of a signature. All offsets in a bundle
 * count from `base`. NULL, or why the file cannot be read as an executable of this system.
 */
struct payload {
    uint64_t base;
    uint64_t size;
};
const char *system_payload(handle file, uint64_t size, struct payload *payload);
/* Whether what stands in front of a bundle's layers is a launcher by itself. Not where they are a segment in its middle. */
bool system_copies_launcher(void);
/* The first bytes of that file are for a copy of the launcher alone: take out of them what points behind it. */
void system_strip_signature(uint8_t *head, size_t size);
/* What stands between folders in a list of them, as in PATH. */
char system_list_separator(void);
/* What the name of an executable ends in. */
const char *system_suffix(void);
/* What a virtual environment calls the folder of its programs. */
const char *system_programs(void);
/* A path as other programs of this system spell it, in new memory. */
char *system_native_path(const char *path);
/* How it was called: as typed if that has a slash, else where PATH found it. */
const char *system_called_as(const char *argv0);
/* Call `work(argument)` on `count` threads, the calling one being one of them; fewer if the system grants fewer. */
void system_parallel(unsigned count, void (*work)(void *), void *argument);
/* Can the loader of a program find out where that program stands? Not where /proc is missing. */
bool system_has_origin(void);

/*
 * Do `work(argument)` beside the start, which waits for none of it: in a process of its own that has let go of all that it
 * inherited, or in a thread. False: there is no such way here and now, and nothing was done.
 */
bool system_run_detached(void (*work)(void *), void *argument);
/* From here on a file that gets too long is an error, and no signal; or all is as it was before. */
void system_ignore_size_limit(bool begin);

/* How the environment of Python differs from ours. Each list ends with NULL. */
struct changes {
    const char *const *forgotten; /* names that are not passed on */
    const char *const *hidden;    /* names that get HIDDEN in front: Python shall not see them while it starts */
    char *const *added;           /* "NAME=value", unless that name is passed on */
    bool strict;                  /* of the caller's variables only those that can do no harm */
    const handle *closed;         /* what exec closes; ends with NO_HANDLE. Nothing is closed when Python cannot be started */
};
#define HIDDEN "PYPACK_HIDDEN_"
/* Become another program. Returns on failure only. */
oserr system_exec(const char *path, char *const *words, const struct changes *changes);
/*
 * Load Python's shared library into this process and let its main function have `words`; the process ends with what that answers.
 * `program`: nothing but the bundle says where Python's parts are; an interpreter looks around as Python does. Returns on
 * failure only.
 */
bool system_embeds(void); /* whether there is such a way at all */
/* Whether it is the only one: children need a launcher too, and the library finds its home by itself. */
bool system_embeds_only(void);
oserr system_embed(const char *library, char *const *words, const struct changes *changes, bool program);

/*
 * Tell `see` of each process that can be looked at: the file that it runs, and the words that it was started with, joined by
 * blanks ("" where they cannot be had). Nothing is told where files in use cannot be moved anyway.
 */
void system_visit_processes(void (*see)(void *argument, const char *program, const char *words), void *argument);

/* ---- files ---- */

enum file_kind { KIND_NONE, KIND_FILE, KIND_FOLDER, KIND_LINK, KIND_OTHER };
struct file_info {
    enum file_kind kind;
    uint64_t size;
    bool executable; /* only where files have modes */
    int64_t age; /* seconds since it was changed; negative by a clock that was ahead */
    bool being_removed; /* a folder that folder_mark_removal was called for */
};
bool system_has_modes(void);
bool system_runs_scripts(void); /* whether a text file can be a program, by what its first line says */
/* Look at a path; `follow` goes through a symbolic link at its end. A missing one is KIND_NONE and no error. */
oserr file_stat(const char *path, bool follow, struct file_info *info);
oserr file_open(const char *path, handle *file);
/* Read up to `size` bytes; fewer only at the end of the file. */
oserr file_read(handle file, void *bytes, size_t size, uint64_t offset, size_t *got);
oserr file_close(handle file); /* of one that was written: only now it is known whether there was room */
oserr file_write(const char *path, const void *bytes, size_t size); /* a new file; never follows a link */
oserr file_link(const char *path, const char *target);
oserr file_hardlink(const char *path, const char *original); /* a hard link */
oserr file_read_link(const char *path, struct text *target);
oserr file_rename(const char *from, const char *to);
oserr file_exchange(const char *one, const char *other); /* of two names, in one step; not every system and disk can */
oserr folder_make(const char *path);
oserr folder_make_all(const char *path); /* with the folders above it */
/* With all that is in it, be it read-only; links are not followed. A file too. */
oserr folder_remove(const char *path);
bool system_renames_open(void);            /* whether a folder can be renamed while a file in it is open */
oserr folder_list(const char *path, struct text *names); /* each name ended by a zero byte */
/* So many at most: whoever left more there shall not keep a start waiting. `cut` tells whether there are more. */
oserr folder_list_some(const char *path, struct text *names, size_t most, bool *cut);
/* Where modes say who may write: into this folder; nobody into any below it. What the disk does not take is no matter. */
void folder_writable(const char *path, bool writable);
void folder_seal(const char *path);
/* Its removal has begun, and may end half-way: whoever looks at it sees `being_removed`. */
void folder_mark_removal(const char *path);
/* All that was written into it is on the disk when this returns, come what may. */
oserr folder_sync(const char *path);

/* ---- locks: held until the handle is closed or the process ends, however it ends ---- */

oserr lock_open(const char *path, handle *lock); /* makes the file if need be */
oserr lock_try(handle file, bool shared);        /* CLASS_BUSY if somebody else holds it */
/* Removed since it was opened? `unused` (or NULL): seconds since it was stamped, negative by a clock that was ahead. */
bool file_is_unlinked(handle file, int64_t *unused);
void lock_touch(handle lock); /* to show that its holder is at work */
void file_touch(const char *path); /* as used now; no matter if it cannot be */
/* Give a handle that the next program inherits, as the number it will have there; -1 if there is none. */
int lock_pass_on(handle file);

/* ---- writing a tree: folders are made as needed, links never followed, nothing overwritten ---- */

struct tree;
oserr tree_open(const char *folder, struct tree **tree);
void tree_make_read_only(struct tree *tree); /* the files from now on are read-only */
oserr tree_file(struct tree *tree, const char *path, bool executable, handle *file);
oserr tree_write(handle file, const void *bytes, size_t size);
oserr tree_close_file(handle file); /* close it; only now it is known whether there was room for all of it */
oserr tree_link(struct tree *tree, const char *path, const char *target);
oserr tree_folder(struct tree *tree, const char *path);
void tree_close(struct tree *tree);

/* ---- the cache folder ---- */

/* A folder that may become the cache: `base` must be there, `path` below it may be made. */
struct cache_root {
    char *base;
    char *path;
    const char *origin; /* for people: which variable or rule it comes from */
    bool shared_above;  /* the folder above is everybody's: a link is not accepted */
};
size_t root_list(struct cache_root **roots);
/*
 * Whether it, and what leads to it, can be trusted, and it exists. READ_ONLY: the administrator's. Otherwise `why` says what is
 * wrong. Its path becomes the real one, without links; where it exists, files below that path are looked up from there on.
 */
enum root_state { ROOT_READY, ROOT_READ_ONLY, ROOT_MISSING, ROOT_UNFIT };
enum root_state root_inspect(struct cache_root *root, struct text *why);
/* Make it, and make sure that programs in it may be started. */
enum root_state root_make(struct cache_root *root, struct text *why);
void root_close(void); /* nothing is looked up from there any more */
/* Whether a real folder (no link) is there that only this user or the administrator can have made and can write to. */
bool folder_is_trusted(const char *path);
/* Whether others may use it without a trace: it is the administrator's, and they can look into it. */
bool root_is_shared(const struct cache_root *root);
/* Whether it is the one that only the administrator can have filled, wherever the caller's links lead. */
bool root_is_privileged(const struct cache_root *root);
/*
 * Who can use it unseen. ALL: locks and the list of processes tell of everybody who does. LOCKS: there may be processes that are
 * not listed. NOTHING: other machines may use it, of which not even locks tell for certain. `why` names what it is.
 */
enum root_visibility { VISIBLE_ALL, VISIBLE_LOCKS, VISIBLE_NOTHING };
enum root_visibility root_visibility(const struct cache_root *root, const char **why);
/* Whether so many bytes could be written to it (0: whether programs could be started from it), as far as can be told now. */
bool root_is_usable(const struct cache_root *root, uint64_t bytes, struct text *why);
/* Set which modes new files do not get; returns what was set before. */
unsigned system_mask_modes(unsigned without);

/* ---- what the runtime will need of the system ---- */

/*
 * The version of a `part` of the system ("glibc", "macos"), for programs like `self`; false if this system has no such part, or
 * it cannot be found out.
 */
bool system_version(const char *part, handle self, unsigned *major, unsigned *minor);

#endif
