/* SPDX-License-Identifier: MIT */
/*
 * system.h for Windows: where the payload ends. A signature is a table at the end of the file that the header points to
 * (Microsoft, "PE Format": optional header, data directory 4); signers fill up to a multiple of 8 in front of it.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/system.h"
#include "format/trailer.h"
#include "os/windows/pe.h"

#define HEAD_MOST ((size_t)4096)

const char *system_payload(handle file, uint64_t size, struct payload *payload)
{
    *payload = (struct payload){0, size};
    uint8_t *head = memory_raw(HEAD_MOST), tail[TRAILER_PADDED];
    size_t got;
    oserr error = file_read(file, head, HEAD_MOST, 0, &got);
    struct pe_table table = {0};
    const char *why = error ? system_text(error) : pe_certificates(head, got, &table);
    memory_free(head);
    if (why || !table.size)
        return why;
    if (!fits(table.offset, table.size, size))
        return "it is cut short, or its signature's place is wrong";
    payload->size = table.offset;
    if (table.offset < sizeof tail || file_read(file, tail, sizeof tail, table.offset - sizeof tail, &got) || got != sizeof tail)
        return NULL; /* that there is no trailer is told by whoever looks for it */
    payload->size -= trailer_padding(tail, sizeof tail);
    return NULL;
}

void system_strip_signature(uint8_t *head, size_t size)
{
    pe_forget_certificates(head, size);
}
