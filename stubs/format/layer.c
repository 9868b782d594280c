/* SPDX-License-Identifier: MIT */
#include "format/layer.h"

const char *layer_name(enum layer_kind kind)
{
    static const char *const names[] = {"unknown", "runtime", "deps", "app"};
    return names[kind];
}
