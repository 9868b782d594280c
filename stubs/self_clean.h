/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=clean */
#ifndef PYPACK_SELF_CLEAN_H
#define PYPACK_SELF_CLEAN_H

#include "cache/launcher.h"

int self_clean(struct launcher *launcher);

#endif
