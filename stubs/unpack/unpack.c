/* SPDX-License-Identifier: MIT */
#include "unpack/unpack.h"

#include <stdatomic.h>
#include <string.h>

#include <zstd.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/sha256.h"
#include "base/system.h"
#include "exit_codes.h"
#include "format/frames.h"
#include "format/layer.h"
#include "format/sink.h"
#include "format/tar.h"
#include "unpack/bundle_file.h"
#include "unpack/unpack_app.h"

#define THREADS_MOST 4
#define MEMORY_MOST (UINT64_C(40) << 20)

/* One layer of frames being unpacked. A run goes from a frame that begins at a member to the next such frame. */
struct job {
    handle bundle;
    const struct layer *layer;
    const struct sink_maker *maker;
    struct progress *progress;
    struct frames frames;
    atomic_size_t next;    /* the first frame that no thread has taken */
    atomic_bool failed;
    atomic_flag has_fault;      /* the first fault is the one that is kept */
    atomic_flag has_line;  /* one thread draws the progress line */
    struct fault *fault;
    int code;
};

/* What one thread works with. */
struct worker {
    struct job *job;
    ZSTD_DCtx *zstd;
    uint8_t *packed;
    uint8_t *plain;
    struct tar tar;
    struct fault fault;
    bool draws;
};

static int unpack_frame(struct worker *worker, const struct frame *frame)
{
    struct job *job = worker->job;
    int code = bundle_read(job->bundle, worker->packed, frame->packed, frame->offset, &worker->fault);
    if (code)
        return code;
    uint8_t digest[SHA256_SIZE];
    size_t size = ZSTD_decompressDCtx(worker->zstd, worker->plain, frame->unpacked, worker->packed, frame->packed);
    if (!ZSTD_isError(size) && size == frame->unpacked)
        sha256_of(worker->plain, size, digest);
    if (ZSTD_isError(size) || size != frame->unpacked || memcmp(digest, frame->sha256, sizeof digest) != 0)
        return fault_set(&worker->fault, EXIT_PAYLOAD, "copy or download the file again",
                         "the %s part of this file is damaged: SHA-256 mismatch of piece %zu of %zu",
                         layer_name(job->layer->kind), (size_t)(frame - job->frames.list) + 1, job->frames.count);
    code = tar_take(&worker->tar, worker->plain, frame->unpacked, &worker->fault);
    atomic_fetch_add(&job->progress->done, frame->unpacked);
    if (worker->draws)
        progress_show(job->progress);
    return code;
}

/* Take the next run: its first frame and the one behind its last. */
static bool take_run(struct job *job, size_t *first, size_t *behind)
{
    const struct frames *frames = &job->frames;
    *first = atomic_load(&job->next);
    do {
        if (*first >= frames->count || atomic_load(&job->failed))
            return false;
        *behind = *first + 1;
        while (*behind < frames->count && frames->list[*behind].continues_member)
            ++*behind;
    } while (!atomic_compare_exchange_weak(&job->next, first, *behind));
    return true;
}

static int work_runs(struct worker *worker)
{
    struct job *job = worker->job;
    size_t first, behind;
    while (take_run(job, &first, &behind)) {
        int code = EXIT_FINE;
        for (size_t i = first; i < behind && code == EXIT_FINE; i++)
            code = atomic_load(&job->failed) ? job->code : unpack_frame(worker, &job->frames.list[i]);
        if (code == EXIT_FINE)
            code = tar_finish(&worker->tar, &worker->fault);
        if (code)
            return code;
        tar_free(&worker->tar);
        worker->tar = (struct tar){.sink = worker->tar.sink};
    }
    return EXIT_FINE;
}

static void run_worker(void *argument)
{
    struct job *job = argument;
    struct worker worker = {.job = job, .draws = !atomic_flag_test_and_set(&job->has_line)};
    worker.zstd = ZSTD_createDCtx();
    if (!worker.zstd)
        memory_report_none();
    worker.packed = memory_raw(job->frames.packed_most);
    worker.plain = memory_raw(job->frames.unpacked_most);
    worker.tar.sink = job->maker->make(job->maker, &worker.fault);
    int code = worker.tar.sink ? work_runs(&worker) : worker.fault.code;
    if (code && !atomic_flag_test_and_set(&job->has_fault)) {
        *job->fault = worker.fault;
        job->code = code;
        atomic_store(&job->failed, true);
    } else {
        fault_clear(&worker.fault);
    }
    if (worker.tar.sink)
        worker.tar.sink->close(worker.tar.sink);
    tar_free(&worker.tar);
    memory_free(worker.plain);
    memory_free(worker.packed);
    ZSTD_freeDCtx(worker.zstd);
}

static unsigned count_threads(const struct frames *frames)
{
    uint64_t thread_size = (uint64_t)frames->packed_most + frames->unpacked_most;
    unsigned most = system_cores() < THREADS_MOST ? system_cores() : THREADS_MOST;
    while (most > 1 && (most > frames->count || most * thread_size > MEMORY_MOST))
        most--;
    return most;
}

static int unpack_frames(handle bundle, const struct layer *layer, const struct sink_maker *maker,
                         struct progress *progress, struct fault *fault)
{
    size_t size = (size_t)frames_table_size(layer);
    uint8_t *table = memory_raw(size);
    struct job job = {.bundle = bundle, .layer = layer, .maker = maker, .progress = progress, .fault = fault};
    job.has_fault = (atomic_flag)ATOMIC_FLAG_INIT;
    job.has_line = (atomic_flag)ATOMIC_FLAG_INIT;
    int code = bundle_read(bundle, table, size, layer->offset, fault);
    if (code == EXIT_FINE)
        code = frames_read(table, layer, &job.frames, fault);
    if (code == EXIT_FINE) {
        fault_clear(fault);
        system_parallel(count_threads(&job.frames), run_worker, &job);
        code = job.code;
    }
    frames_free(&job.frames);
    memory_free(table);
    return code;
}

int unpack_layer(handle bundle, const struct layer *layer, const struct sink_maker *maker, struct progress *progress,
                 struct fault *fault)
{
    if (layer->kind == LAYER_APP)
        return unpack_app(bundle, layer, maker, progress, fault);
    return unpack_frames(bundle, layer, maker, progress, fault);
}
