/* SPDX-License-Identifier: MIT */
/* Finding out a glibc's version from its file. */
#ifndef PYPACK_OS_LINUX_GLIBC_H
#define PYPACK_OS_LINUX_GLIBC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The folder name that Debian and its kin use for libraries of this processor. */
#if defined(__x86_64__)
#define GLIBC_TRIPLE "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define GLIBC_TRIPLE "aarch64-linux-gnu"
#else
#define GLIBC_TRIPLE "linux-gnu"
#endif

/* The highest N of GLIBC_2.N in these bytes; false if there is none. A function of memory alone. */
bool glibc_highest(const uint8_t *bytes, size_t size, unsigned *minor);

#endif
