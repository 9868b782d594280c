/* SPDX-License-Identifier: MIT */
#include "os/windows/pe.h"

#include <string.h>

#include "base/bytes.h"

#define DOS_HEAD 64
#define NEW_HEAD_AT 60
#define FILE_HEAD 24 /* with the signature "PE\0\0" */
#define CERTIFICATES 4
#define DIRECTORY 8

/* Where the entry of the certificate table is; 0 where the header has none. */
static const char *entry_place(const uint8_t *head, size_t size, size_t *place)
{
    *place = 0;
    if (size < DOS_HEAD || memcmp(head, "MZ", 2) != 0)
        return "it is no program for Windows";
    uint32_t at = le32(head + NEW_HEAD_AT);
    if (!fits(at, FILE_HEAD + 2, size) || memcmp(head + at, "PE\0\0", 4) != 0)
        return "its header is damaged";
    const uint8_t *optional = head + at + FILE_HEAD;
    size_t length = le16(head + at + 20), first;
    switch (le16(optional)) {
    case 0x10B:
        first = 96;
        break;
    case 0x20B:
        first = 112;
        break;
    default:
        return "its header is of an unknown kind";
    }
    if (!fits(at + FILE_HEAD, length, size) || length < first)
        return "its header is damaged";
    size_t entry = first + CERTIFICATES * DIRECTORY;
    if (le32(optional + first - 4) > CERTIFICATES && length >= entry + DIRECTORY)
        *place = at + FILE_HEAD + entry;
    return NULL;
}

const char *pe_certificates(const uint8_t *head, size_t size, struct pe_table *table)
{
    size_t place;
    const char *why = entry_place(head, size, &place);
    *table = (struct pe_table){0};
    if (!why && place)
        *table = (struct pe_table){le32(head + place), le32(head + place + 4)};
    return why;
}

void pe_forget_certificates(uint8_t *head, size_t size)
{
    size_t place;
    if (!entry_place(head, size, &place) && place)
        memset(head + place, 0, DIRECTORY);
}
