/* SPDX-License-Identifier: MIT */
/*
 * apps/<id>/: the interpreter under the program's name, in the shape of a virtual environment. pyvenv.cfg is also the file that
 * running programs hold a shared lock on. All this is made before the layers, so that whoever removes layers sees that they are
 * wanted.
 */
#include "cache/apps.h"

#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/sha256.h"
#include "base/system.h"
#include "base/text.h"
#include "cache/app_checks.h"
#include "cache/app_content.h"
#include "cache/app_files.h"
#include "cache/commands.h"
#include "cache/drafts.h"
#include "cache/launcher.h"
#include "cache/leftovers.h"
#include "cache/locks.h"
#include "cache/paths.h"
#include "cache/prepare.h"
#include "cache/trash.h"
#include "exit_codes.h"
#include "format/trailer.h"

#define CLEANER_PAUSE 20 /* milliseconds */
#define CLEANER_TRIES 500
#define CLEANER_MOMENT 50
#define STAMP_EVERY 3600 /* seconds: the time of last use, to the hour */

static bool has_right_settings(const struct launcher *launcher, handle file)
{
    struct text wanted = {0};
    app_describe_settings(launcher, &wanted);
    char *actual = memory(wanted.size, 1);
    size_t got;
    bool same = file_read(file, actual, wanted.size, 0, &got) == 0 && got == wanted.size &&
                memcmp(actual, wanted.data, got) == 0;
    memory_free(actual);
    text_free(&wanted);
    if (!same)
        return false;
    return app_interpreter_stands(launcher);
}

/* Whether the folder is a program's that is the same, in a cache that stood at another path when it was made. */
static bool is_for_another_path(const struct launcher *launcher, handle file)
{
    static const char key[] = "home = ";
    struct text wanted = {0};
    size_t got = 0;
    app_describe_settings(launcher, &wanted);
    char *actual = memory(TRAILER_MOST + 1, 1);
    if (file_read(file, actual, TRAILER_MOST, 0, &got) != 0)
        got = 0;
    size_t size = strcspn(actual, "\n");
    bool other = strncmp(actual, key, sizeof key - 1) == 0 && size < got &&
                 (strcspn(wanted.data, "\n") != size || memcmp(actual, wanted.data, size) != 0);
    memory_free(actual);
    text_free(&wanted);
    return other;
}

/*
 * Two machines, or two containers, may have one cache at two paths and run at once: neither may take the other's folder away.
 * The folder's name is then made of the path, too.
 */
static void choose_other_name(struct launcher *launcher)
{
    struct text settings = {0}, name = {0};
    struct sha256 hash;
    uint8_t digest[SHA256_SIZE];
    app_describe_settings(launcher, &settings);
    sha256_begin(&hash);
    sha256_add(&hash, (const uint8_t *)launcher->bundle.id, strlen(launcher->bundle.id));
    sha256_add(&hash, (const uint8_t *)settings.data, settings.size);
    sha256_end(&hash, digest);
    text_add_hex(&name, digest, (sizeof launcher->app - 1) / 2);
    memcpy(launcher->app, name.data, sizeof launcher->app);
    text_free(&name);
    text_free(&settings);
}

void app_choose(struct launcher *launcher)
{
    handle file;
    char *path = app_path(launcher, APP_SETTINGS);
    bool there = !launcher->app[0] && file_open(path, &file) == 0;
    if (there && is_for_another_path(launcher, file))
        choose_other_name(launcher);
    if (there)
        file_close(file);
    memory_free(path);
}

/* It may be older than the rights of the folder that it is in. */
static bool is_trusted(const struct launcher *launcher)
{
    char *folder = app_path(launcher, NULL);
    bool ours = folder_is_trusted(folder);
    memory_free(folder);
    return ours;
}

/*
 * Open and lock what stands there. A cleaner holds it for a moment only, then it is gone. In a read-only folder nothing is
 * cleaned while it serves, and anybody who can read the file may hold a lock: there none is waited for.
 */
static bool lock_program(struct launcher *launcher)
{
    char *path = app_path(launcher, APP_SETTINGS);
    bool held = false, ours = is_trusted(launcher);
    int64_t unused = 0;
    for (unsigned tries = 0; ours && tries < CLEANER_TRIES && !held; tries++) {
        if (file_open(path, &launcher->app_lock) != 0)
            break;
        oserr error = lock_try(launcher->app_lock, true);
        bool busy = error && system_classify(error) == CLASS_BUSY;
        bool goes_on = launcher->read_only || tries >= CLEANER_MOMENT; /* anybody who can read it may hold it for ever */
        held = (!busy || goes_on) && !file_is_unlinked(launcher->app_lock, &unused);
        if (held && has_right_settings(launcher, launcher->app_lock))
            break;
        bool other = held && !launcher->app[0] && is_for_another_path(launcher, launcher->app_lock);
        app_release(launcher);
        if (other) {
            choose_other_name(launcher);
            memory_free(path);
            return lock_program(launcher);
        }
        if (held) { /* stale: to be made anew */
            held = false;
            break;
        }
        system_sleep(CLEANER_PAUSE);
    }
    if (held && !launcher->read_only && (unused < 0 || unused > STAMP_EVERY))
        file_touch(path);
    memory_free(path);
    return held;
}

void app_release(struct launcher *launcher)
{
    file_close(launcher->app_lock);
    launcher->app_lock = NO_HANDLE;
}

bool app_is_present(const struct launcher *launcher)
{
    handle file;
    char *path = app_path(launcher, APP_SETTINGS);
    bool there = is_trusted(launcher) && file_open(path, &file) == 0;
    memory_free(path);
    if (!there)
        return false;
    there = has_right_settings(launcher, file);
    file_close(file);
    return there;
}

static oserr write_file(const struct launcher *launcher, const struct app_file *file, void *draft)
{
    return app_file_write(launcher, file, draft);
}

static oserr fill_draft(const struct launcher *launcher, char *draft)
{
    oserr error = app_visit_files(launcher, write_file, draft);
    return error ? error : commands_write(launcher, draft);
}

static bool is_sound(const struct launcher *launcher, const void *nothing)
{
    (void)nothing;
    return app_is_present(launcher);
}

/* Not while somebody removes layers that no program names. */
static int publish_app(struct launcher *launcher, const char *draft, const char *final)
{
    handle still;
    int code = cache_lock_gc(launcher, &still);
    if (code)
        return code;
    code = cache_publish(launcher, app_name(launcher), draft, final, is_sound, NULL);
    file_close(still);
    return code;
}

static int make_app(struct launcher *launcher)
{
    const char *id = app_name(launcher);
    handle lock;
    int code = app_check_root(launcher);
    if (code == EXIT_FINE)
        code = cache_prepare(launcher);
    if (code == EXIT_FINE)
        code = app_check_system(launcher);
    if (code == EXIT_FINE)
        code = cache_lock(launcher, id, &lock);
    if (code)
        return code;
    if (!app_is_present(launcher)) {
        char *draft = NULL, *final = app_path(launcher, NULL);
        cache_remove_leftovers(launcher, id, lock);
        code = cache_draft(launcher, id, &draft);
        oserr error = code ? 0 : fill_draft(launcher, draft);
        if (error)
            code = cache_fail(launcher, error, "writing to it");
        if (code == EXIT_FINE)
            code = publish_app(launcher, draft, final);
        if (code && draft)
            folder_remove(draft);
        memory_free(draft);
        memory_free(final);
    }
    file_close(lock);
    return code;
}

int app_prepare(struct launcher *launcher)
{
    for (int tries = 0; tries < 3; tries++) {
        if (lock_program(launcher))
            return EXIT_FINE;
        int code = make_app(launcher);
        if (code)
            return code;
    }
    return fault_set(&launcher->fault, TRY_NEXT_CACHE, "", "its apps folder is changed by somebody else again and again");
}
