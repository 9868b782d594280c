/* SPDX-License-Identifier: MIT */
/*
 * All that the launcher asks of the operating system. posix_*.c answers it with linux_*.c or macos_*.c, windows_*.c does on
 * Windows; nothing else in the launcher knows the system.
 * Paths are zero-terminated bytes with "/". An `oserr` is 0 or the system's own error number.
 */
#ifndef PYPACK_SYSTEM_H
#define PYPACK_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"
#include "text.h"

typedef int oserr;
typedef intptr_t handle;
#define NO_HANDLE ((handle)-1)

/* What an error number means to the launcher. */
enum meaning {
    MEANS_MISSING,  /* it is not there */
    MEANS_EXISTS,   /* it is there already, or a folder is not empty */
    MEANS_BUSY,     /* somebody else holds the lock */
    MEANS_NO_PLACE, /* full, read-only, not permitted: another folder may do */
    MEANS_NO_SUCH,  /* this system has no files of that name or kind */
    MEANS_OTHER
};
enum meaning system_meaning(oserr error);
const char *system_text(oserr error);

/* ---- this process ---- */

const char *system_variable(const char *name);
uint64_t system_clock(void);
void system_sleep(unsigned milliseconds);
unsigned system_cores(void);
unsigned long system_process(void);
bool system_is_terminal(void); /* of standard error */
void system_say(const char *bytes, size_t size);   /* to standard error */
void system_alarm(const char *bytes, size_t size); /* likewise; in a window where a program has nothing else */
void system_print(const char *bytes, size_t size); /* to standard output */
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
/* The first bytes of that file are for a copy of the launcher alone: take out of them what points behind it. */
void system_unsign(uint8_t *head, size_t size);
/* What the name of an executable ends in. */
const char *system_suffix(void);
/* A path as other programs of this system spell it, in new memory. */
char *system_native(const char *path);
/* How it was called: as typed if that has a slash, else where PATH found it. */
const char *system_called_as(const char *argv0);
/* Call `work(argument)` on `count` threads, the calling one being one of them; fewer if the system grants fewer. */
void system_parallel(unsigned count, void (*work)(void *), void *argument);
/* Can the loader of a program find out where that program stands? Not where /proc is missing. */
bool system_tells_origin(void);

/*
 * Become another program. The variables in `forget` (ends with NULL) are not passed on; `extra` ("NAME=value") is added unless it
 * is NULL or that name is set already. Returns on failure only.
 */
oserr system_become(const char *path, char *const *words, const char *const *forget, char *extra);
/*
 * Load Python's shared library into this process and let its main function have `words`; the process ends with what that answers.
 * The variables in `forget` leave the environment first. `program`: nothing but the bundle says where Python's parts are; an
 * interpreter looks around as Python does. Returns on failure only.
 */
bool system_embeds(void); /* whether there is such a way at all */
/* Whether it is the only one: children need a launcher too, and the library finds its home by itself. */
bool system_embeds_only(void);
oserr system_embed(const char *library, char *const *words, const char *const *forget, bool program);

/*
 * Tell `see` of each process that can be looked at: the file that it runs, and the words that it was started with, joined by
 * blanks ("" where they cannot be had). Nothing is told where files in use cannot be moved anyway.
 */
void system_processes(void (*see)(void *argument, const char *program, const char *words), void *argument);

/* ---- files ---- */

enum file_kind { KIND_NONE, KIND_FILE, KIND_FOLDER, KIND_LINK, KIND_OTHER };
struct file_info {
    enum file_kind kind;
    uint64_t size;
    bool executable; /* only where files have modes */
};
bool system_has_modes(void);
bool system_runs_text(void); /* whether a text file can be a program, by what its first line says */
/* Look at a path; `follow` goes through a symbolic link at its end. A missing one is KIND_NONE and no error. */
oserr file_look(const char *path, bool follow, struct file_info *info);
oserr file_open(const char *path, handle *file);
/* Read up to `size` bytes; fewer only at the end of the file. */
oserr file_read(handle file, void *bytes, size_t size, uint64_t offset, size_t *got);
void file_close(handle file);
oserr file_write(const char *path, const void *bytes, size_t size); /* a new file; never follows a link */
oserr file_link(const char *path, const char *target);
oserr file_twin(const char *path, const char *original); /* a hard link */
oserr file_read_link(const char *path, struct text *target);
oserr file_rename(const char *from, const char *to);
oserr folder_make(const char *path);
oserr folder_make_all(const char *path); /* with the folders above it */
oserr folder_remove(const char *path);   /* with all that is in it; links are not followed */
bool system_moves_open(void);            /* whether a folder can be renamed while a file in it is open */
oserr folder_list(const char *path, struct text *names); /* each name ended by a zero byte */

/* ---- locks: held until the handle is closed or the process ends, however it ends ---- */

oserr lock_open(const char *path, handle *lock); /* makes the file if need be */
oserr lock_try(handle file, bool shared);        /* MEANS_BUSY if somebody else holds it */
/* Removed since it was opened? `unused` (or NULL): seconds since it was stamped, negative by a clock that was ahead. */
bool file_is_gone(handle file, int64_t *unused);
void file_stamp(const char *path); /* as used now; no matter if it cannot be */
/* Give a handle that the next program inherits, as the number it will have there; -1 if there is none. */
int lock_inherited(handle file);

/* ---- writing a tree: folders are made as needed, links never followed, nothing overwritten ---- */

struct tree;
oserr tree_open(const char *folder, struct tree **tree);
oserr tree_file(struct tree *tree, const char *path, bool executable, handle *file);
oserr tree_write(handle file, const void *bytes, size_t size);
oserr tree_link(struct tree *tree, const char *path, const char *target);
oserr tree_folder(struct tree *tree, const char *path);
void tree_close(struct tree *tree);

/* ---- the cache folder ---- */

/* A folder that may become the cache: `base` must be there, `path` below it may be made. */
struct place {
    char *base;
    char *path;
    const char *origin; /* for people: which variable or rule it comes from */
    bool shared_above;  /* the folder above is everybody's: a link is not accepted */
};
size_t place_list(struct place **places);
/* Whether it can be trusted and exists. READ_ONLY: the administrator's. Otherwise `why` says what is wrong. */
enum place_state { PLACE_READY, PLACE_READ_ONLY, PLACE_MISSING, PLACE_UNFIT };
enum place_state place_look(const struct place *place, struct text *why);
/* Make it, and make sure that programs in it may be started. */
enum place_state place_make(const struct place *place, struct text *why);
/* Whether others may use it without a trace: it is the administrator's, and they can look into it. */
bool place_is_common(const struct place *place);
/* Set which modes new files do not get; returns what was set before. */
unsigned place_modes(unsigned without);

/* ---- what the runtime will need of the system ---- */

/*
 * The version of a `part` of the system ("glibc", "macos"), for programs like `self`; false if this system has no such part, or
 * it cannot be found out.
 */
bool system_version(const char *part, handle self, unsigned *major, unsigned *minor);

#endif
