/* SPDX-License-Identifier: MIT */
/* The folder that a start would use. */
#ifndef PYPACK_CACHE_USABLE_H
#define PYPACK_CACHE_USABLE_H

#include "cache/launcher.h"

/* Whether this start would unpack to the folder, or has done so; TRY_NEXT_CACHE where it would not. Writes nothing. */
int cache_check_usable(struct launcher *launcher);

#endif
