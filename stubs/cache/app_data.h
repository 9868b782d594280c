/* SPDX-License-Identifier: MIT */
/* The data of packages in apps/<id>/. */
#ifndef PYPACK_CACHE_APP_DATA_H
#define PYPACK_CACHE_APP_DATA_H

#include <stdbool.h>

#include "cache/launcher.h"

/* Once the layers are there: make sure that the data of packages stands in the program's folder. */
int app_data_prepare(struct launcher *launcher);
bool app_data_is_present(const struct launcher *launcher);

#endif
