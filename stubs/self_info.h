/* SPDX-License-Identifier: MIT */
/* PYPACK_SELF=info and info-json */
#ifndef PYPACK_SELF_INFO_H
#define PYPACK_SELF_INFO_H

#include <stdbool.h>

#include "cache/launcher.h"

int self_info(struct launcher *launcher, bool json);

#endif
