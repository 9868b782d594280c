/* SPDX-License-Identifier: MIT */
/* Reads the one thing that the launcher wants of its own header. A function of memory alone. */
#ifndef PYPACK_OS_WINDOWS_PE_H
#define PYPACK_OS_WINDOWS_PE_H

#include <stddef.h>
#include <stdint.h>

struct pe_table {
    uint64_t offset; /* in the file, unlike that of other tables */
    uint64_t size;   /* 0: there is none */
};

/* Find the certificate table in the first bytes of a file; NULL, or why they are no header. */
const char *pe_certificates(const uint8_t *head, size_t size, struct pe_table *table);
/* Take its entry out of the header: for a copy that ends before it. */
void pe_forget_certificates(uint8_t *head, size_t size);

#endif
