/* SPDX-License-Identifier: MIT */
/* The file that a bundle is. */
#ifndef PYPACK_UNPACK_BUNDLE_FILE_H
#define PYPACK_UNPACK_BUNDLE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/report.h"
#include "base/system.h"

/* Read exactly `size` bytes. Returns EXIT_FINE, EXIT_NO_SELF or EXIT_PAYLOAD. */
int bundle_read(handle bundle, void *bytes, size_t size, uint64_t offset, struct fault *fault);

#endif
