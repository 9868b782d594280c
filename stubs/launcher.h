/* SPDX-License-Identifier: MIT */
/* One start of a bundle: what is known about it, and the steps that are taken. */
#ifndef PYPACK_LAUNCHER_H
#define PYPACK_LAUNCHER_H

#include "report.h"
#include "system.h"
#include "trailer.h"

struct launcher {
    struct report report;
    struct fault fault;
    char **words;       /* the arguments as given, ended by NULL; never empty */
    const char *called; /* how the bundle was called */
    struct text path;   /* of the bundle, absolute */
    handle file;
    struct payload payload; /* where in the file it is */
    struct bundle bundle;
    bool is_shim;

    /* the cache folder that is being tried */
    const struct place *place;
    bool read_only;
    bool prepared;
    bool modes_set;
    unsigned modes_before;
    handle app_lock;
};

/* ---- cache.c: the cache folder, and what is being made in it ---- */

/* Try one place after the other with `use`, until it answers something else than EXIT_PLACE. */
int cache_try(struct launcher *launcher, int (*use)(struct launcher *));
/* Before the first write: make the folders, or say EXIT_PLACE. */
int cache_prepare(struct launcher *launcher);
char *cache_path(const struct launcher *launcher, const char *kind, const char *name);
/* One process at a time makes `name`; others wait. NO_HANDLE where the file system has no locks. */
int cache_lock(struct launcher *launcher, const char *name, handle *lock);
/* The same without waiting: false where somebody else holds it, or there are no locks. */
bool cache_lock_now(struct launcher *launcher, const char *name, handle *lock);
/* Remove what killed processes left of `name`, and its lock, unless somebody holds that. */
void cache_sweep_all(struct launcher *launcher, const char *name);
/* Remove what killed processes left of `name`. Without its lock that may be somebody's work: then nothing is done. */
void cache_sweep(struct launcher *launcher, const char *name, handle lock);
/* A new folder in tmp/ for making `name`. */
int cache_draft(struct launcher *launcher, const char *name, char **draft);
/* Put a draft into its place. What stands there goes, unless `sound` says that it is what we wanted to make. */
int cache_put(struct launcher *launcher, const char *name, const char *draft, const char *final, bool sound);
/* Turn a system error into EXIT_PLACE with a text. */
int cache_refuses(struct launcher *launcher, oserr error, const char *doing);
/* The process's own file mode mask again. */
void cache_restore(struct launcher *launcher);

/* Out of the way in one step, then gone. */
int cache_discard(struct launcher *launcher, const char *name, const char *path);
/* Layers that no program names are removed under this lock only, and programs appear under it only. */
#define CACHE_CLEANING "cleaning"
int cache_hold_still(struct launcher *launcher, handle *lock);

/* ---- removal.c: what leaves the cache ---- */

/* After a start that unpacked something: remove what was not used for long, what is too much, what is left over. */
void cache_tidy(struct launcher *launcher);

/* ---- layers.c ---- */

bool layer_is_there(const struct launcher *launcher, const struct layer *layer);
/* Make sure that a layer is unpacked; `anew` replaces even one that looks whole. */
int layer_ready(struct launcher *launcher, const struct layer *layer, bool anew);
int layers_ready(struct launcher *launcher);
char *layer_path(const struct launcher *launcher, enum layer_kind kind, const char *inside);

/* ---- apps.c: apps/<id>/ ---- */

bool app_is_there(const struct launcher *launcher);
/* Make sure that it stands, and hold a shared lock on it in `app_lock`. */
int app_ready(struct launcher *launcher);
void app_release(struct launcher *launcher);
char *app_path(const struct launcher *launcher, const char *inside);

/* ---- interpreter.c: what stands in apps/<id>/ for Python ---- */

bool interpreter_stands(const struct launcher *launcher);
oserr interpreter_write(const struct launcher *launcher, const char *draft);
char *app_python(const struct launcher *launcher); /* what is started, and sys.executable */
/* With a loader of the runtime's own: the link that is started, and the folder of the libraries that it shall find. */
char *app_loader(const struct launcher *launcher);
char *app_libraries(const struct launcher *launcher);

/* In `draft`, another name for the interpreter that is a copy of the launcher. */
oserr interpreter_twin(const struct launcher *launcher, const char *draft, const char *name);

/* ---- commands.c: the commands that packages bring ---- */

oserr commands_write(const struct launcher *launcher, const char *draft);
/* Which script in apps/<id>, `folder`, an executable of this name stands for; NULL for the interpreter itself. */
char *command_script(const char *folder, const char *name);

/* ---- shim.c: the interpreter that the program's children see ---- */

#define SHIM_FILE "shim"
/* Whether it has to be a copy of the launcher; else a link to Python does. */
bool shim_is_needed(const struct launcher *launcher);
/* What stands in apps/<id>/shim. */
void shim_describe(const struct launcher *launcher, struct text *lines);
/* Whether this launcher is such a copy; then become Python, with the words and the environment as they are. */
bool shim_is_one(const struct launcher *launcher);
int shim_start(struct launcher *launcher);
/* What stands in front of Python's own arguments where a loader starts it; `name` becomes its argv[0]. */
#define SHIM_LOADER_WORDS 8
size_t shim_loader_words(char **words, char *loader, char *libraries, char *name, char *python);

/* ---- start.c ---- */

/* Everything from an empty cache to the running program; returns on failure only. */
int start_program(struct launcher *launcher);
int start_dry(struct launcher *launcher);

/* ---- self.c: PYPACK_SELF ---- */

int self_command(struct launcher *launcher, const char *word);
int self_clean(struct launcher *launcher); /* self_clean.c */

#endif
