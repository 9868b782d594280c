/* SPDX-License-Identifier: MIT */
/*
 * A dynamic program's loader makes what it has relocated read-only (RELRO). A static one relocates itself, and musl's start
 * leaves that memory writable: so this does it, before main.
 */
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void protect_relocated(void)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)(uintptr_t)getauxval(AT_PHDR); // NOLINT: the kernel hands a number over
    const ElfW(Phdr) *relocated = NULL;
    uintptr_t base = 0, page = (uintptr_t)getauxval(AT_PAGESZ);
    for (unsigned long i = 0; headers && i < getauxval(AT_PHNUM); i++) {
        if (headers[i].p_type == PT_INTERP)
            return; /* its loader has done it */
        if (headers[i].p_type == PT_PHDR)
            base = (uintptr_t)headers - headers[i].p_vaddr;
        if (headers[i].p_type == PT_GNU_RELRO)
            relocated = &headers[i];
    }
    if (!relocated || !page)
        return;
    uintptr_t from = (base + relocated->p_vaddr) & ~(page - 1);
    uintptr_t to = (base + relocated->p_vaddr + relocated->p_memsz) & ~(page - 1);
    if (to > from)
        (void)mprotect((void *)from, to - from, PROT_READ); // NOLINT: likewise; where it is refused all works as before
}
