/* SPDX-License-Identifier: MIT */
#include "format/trailer.h"

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/report.h"
#include "base/sha256.h"
#include "base/text.h"
#include "exit_codes.h"
#include "format/launch_block.h"
#include "format/layer.h"

#define FOOT 96
#define CHECK SHA256_SIZE
#define TABLE_ROW 72
#define ZIP_END 22
#define FRAME_ROW 44

static const uint8_t magic[8] = {'P', 'Y', 'P', 'K', 0, 2, 0, 0};
static const char copy_again[] = "copy or download the file again; it must not be cut, converted or stripped";

struct foot {
    uint32_t size, launch, launch_size, table, layers;
    uint64_t end, runtime, runtime_size, app;
};

const struct layer *bundle_layer(const struct bundle *bundle, enum layer_kind kind)
{
    for (unsigned i = 0; i < bundle->layer_count; i++)
        if (bundle->layers[i].kind == kind)
            return &bundle->layers[i];
    return NULL;
}

static int report_damage(struct fault *fault, const char *why)
{
    return fault_set(fault, EXIT_TRAILER, copy_again, "the description at the end of this file is damaged: %s", why);
}

static struct foot read_foot(const uint8_t *at)
{
    return (struct foot){
        .size = le32(at + 32),
        .launch = le32(at + 36),
        .launch_size = le32(at + 40),
        .table = le32(at + 44),
        .layers = le32(at + 48),
        .end = le64(at + 56),
        .runtime = le64(at + 72),
        .runtime_size = le64(at + 80),
        .app = le64(at + 88),
    };
}

/* The check covers the trailer without the check itself. */
static bool has_right_hash(const uint8_t *trailer, size_t size, uint8_t digest[SHA256_SIZE])
{
    const uint8_t *foot = trailer + size - FOOT;
    struct sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, trailer, size - FOOT);
    sha256_add(&hash, foot + CHECK, FOOT - CHECK);
    sha256_end(&hash, digest);
    return memcmp(digest, foot, CHECK) == 0;
}

static void set_hex_name(const uint8_t *digest, char name[33])
{
    struct text hex = {0};
    text_add_hex(&hex, digest, 16);
    memcpy(name, hex.data, 33);
    text_free(&hex);
}

static bool layer_fits(const struct layer *layer, const struct foot *foot)
{
    if (layer->kind == LAYER_APP)
        return layer->offset == foot->app && layer->frames == 0 && layer->unpacked == layer->size &&
               fits(layer->offset, layer->size, foot->end - foot->size) &&
               foot->end - foot->size - layer->offset - layer->size >= ZIP_END;
    if (layer->kind == LAYER_RUNTIME && (layer->offset != foot->runtime || layer->size != foot->runtime_size))
        return false;
    return fits(layer->offset, layer->size, foot->app) && layer->frames > 0 && layer->size / FRAME_ROW >= layer->frames;
}

static int read_table(const uint8_t *table, const struct foot *foot, struct bundle *bundle, struct fault *fault)
{
    static const enum layer_kind orders[2][LAYERS_MOST] = {
        {LAYER_RUNTIME, LAYER_APP, LAYER_APP}, {LAYER_RUNTIME, LAYER_DEPS, LAYER_APP}};
    bundle->layer_count = foot->layers;
    for (unsigned i = 0; i < foot->layers; i++, table += TABLE_ROW) {
        struct layer *layer = &bundle->layers[i];
        if (le32(table) != (uint32_t)orders[foot->layers - 2][i])
            return report_damage(fault, "its layers are not the ones that belong there");
        if (le32(table + 4) != 0 || le32(table + 36) != 0)
            return report_damage(fault, "a layer has flags that this launcher does not know");
        layer->kind = orders[foot->layers - 2][i];
        layer->offset = le64(table + 8);
        layer->size = le64(table + 16);
        layer->unpacked = le64(table + 24);
        layer->frames = le32(table + 32);
        memcpy(layer->identity, table + 40, SHA256_SIZE);
        set_hex_name(layer->identity, layer->folder);
        if (!layer_fits(layer, foot))
            return report_damage(fault, "a layer lies outside of the file");
    }
    return EXIT_FINE;
}

/* Find where the trailer begins, from the foot at its end. */
static int find_start(const uint8_t *tail, size_t size, uint64_t end, struct foot *foot, struct fault *fault)
{
    if (size < FOOT || memcmp(tail + size - 32, magic, sizeof magic) != 0)
        return fault_set(fault, EXIT_NO_BUNDLE, copy_again,
                         "this file holds no program: it was cut short, or never had one");
    *foot = read_foot(tail + size - FOOT);
    if (foot->size < FOOT || foot->size > TRAILER_MOST || foot->size > size)
        return report_damage(fault, "its size cannot be");
    if (foot->end != end)
        return fault_set(fault, EXIT_NO_BUNDLE, copy_again,
                         "this file is not whole: it should have %llu bytes, it has %llu",
                         (unsigned long long)foot->end, (unsigned long long)end);
    return EXIT_FINE;
}

size_t trailer_size(const uint8_t *tail, size_t size)
{
    if (size < FOOT || memcmp(tail + size - 32, magic, sizeof magic) != 0)
        return 0;
    return read_foot(tail + size - FOOT).size;
}

int trailer_read(const uint8_t *tail, size_t size, uint64_t end, struct bundle *bundle, struct fault *fault)
{
    *bundle = (struct bundle){0};
    struct foot foot = {0};
    int code = find_start(tail, size, end, &foot, fault);
    if (code)
        return code;
    uint8_t digest[SHA256_SIZE];
    const uint8_t *trailer = tail + size - foot.size;
    if (!has_right_hash(trailer, foot.size, digest))
        return report_damage(fault, "SHA-256 mismatch");
    set_hex_name(digest, bundle->id);
    size_t body = foot.size - FOOT;
    if (foot.layers < 2 || foot.layers > LAYERS_MOST || foot.table > body ||
        !fits(foot.table, (uint64_t)foot.layers * TABLE_ROW, body) || !fits(foot.launch, foot.launch_size, body))
        return report_damage(fault, "its parts lie outside of it");
    bundle->size = foot.size;
    bundle->bytes = text_copy((const char *)trailer, foot.size);
    code = read_table(trailer + foot.table, &foot, bundle, fault);
    if (code == EXIT_FINE)
        code = launch_read(bundle->bytes + foot.launch, foot.launch_size, &bundle->launch, fault);
    if (code)
        bundle_free(bundle);
    return code;
}

size_t trailer_padding(const uint8_t *tail, size_t size)
{
    for (size_t padding = 0; padding < 8 && padding + 32 <= size; padding++) {
        if (padding && tail[size - padding] != 0)
            return 0;
        if (memcmp(tail + size - padding - 32, magic, sizeof magic) == 0)
            return padding;
    }
    return 0;
}

void bundle_set_base(struct bundle *bundle, uint64_t base)
{
    for (unsigned i = 0; i < bundle->layer_count; i++)
        bundle->layers[i].offset += base; /* cannot overflow: a layer ends before its payload, and that inside of the file */
}

void bundle_free(struct bundle *bundle)
{
    memory_free(bundle->launch.options);
    memory_free(bundle->launch.programs);
    memory_free(bundle->launch.pth);
    memory_free(bundle->launch.paths);
    memory_free(bundle->launch.data);
    memory_free(bundle->launch.sentinels);
    for (size_t i = 0; i < bundle->launch.command_count; i++)
        memory_free(bundle->launch.commands[i].name);
    memory_free(bundle->launch.commands);
    memory_free(bundle->bytes);
    *bundle = (struct bundle){0};
}
