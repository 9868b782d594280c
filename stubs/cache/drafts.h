/* SPDX-License-Identifier: MIT */
/* Folders in tmp/ that something is made in. */
#ifndef PYPACK_CACHE_DRAFTS_H
#define PYPACK_CACHE_DRAFTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/system.h"
#include "cache/launcher.h"

/* A new folder in tmp/ for making `name`. */
oserr cache_new_draft(struct launcher *launcher, const char *name, char **draft);
int cache_draft(struct launcher *launcher, const char *name, char **draft); /* the same, with a text for a failure */
/* Whether one in `folder`, behind whose name of this size a "." stands, is nobody's any more. */
bool draft_is_abandoned(const char *folder, const char *entry, size_t name_size);

#endif
