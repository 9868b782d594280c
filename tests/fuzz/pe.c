/* SPDX-License-Identifier: MIT */
/* The header of a Windows program, and the zero bytes that a signer puts behind the trailer. */
#include "os/windows/pe.h"

#include <stdlib.h>

#include "harness.h"

FUZZ(pe)
{
    uint8_t *head = exact(data, size);
    struct pe_table table;
    const char *why = pe_certificates(head, size, &table);
    must(!why || table.size == 0);
    pe_forget_certificates(head, size);
    must(pe_certificates(head, size, &table) == why && table.size == 0 && table.offset == 0);
    must(trailer_padding(head, size) < 8);
    free(head);
    return 0;
}
