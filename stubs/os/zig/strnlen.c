/* SPDX-License-Identifier: MIT */
/*
 * zig 0.16.0 brings a strnlen of its own into static musl programs that reads whole vectors up to `most`, past the string's
 * end and, at the end of a mapping, into nothing: realpath() and printf("%s") die of it when they are given the program's
 * own path, which the kernel puts at the very end of the stack. Its symbol is weak, so this one takes its place.
 * Drop this file when zig's std.mem.findScalarPos is no longer called with a length that was not checked.
 */
#include <string.h>

size_t strnlen(const char *text, size_t most)
{
    size_t size = 0;
    while (size < most && text[size])
        size++;
    return size;
}
