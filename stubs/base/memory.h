/* SPDX-License-Identifier: MIT */
/* Memory that is always checked: on failure the process ends with EXIT_MEMORY. What is half done stands in tmp/. */
#ifndef PYPACK_BASE_MEMORY_H
#define PYPACK_BASE_MEMORY_H

#include <stddef.h>

/* Return `count * unit_size` zeroed bytes. */
void *memory(size_t count, size_t unit_size);
void *memory_raw(size_t size); /* not zeroed: for buffers that are filled */
void *memory_grown(void *old, size_t count, size_t unit_size);
void memory_free(void *block);

_Noreturn void memory_report_none(void); /* there is none: say so, and end */
void memory_set_program(const char *name); /* for that message */

#endif
