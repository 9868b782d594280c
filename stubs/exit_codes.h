/* SPDX-License-Identifier: MIT */
/* What the launcher itself ends with. docs/launcher.md explains each; a test compares the two. */
#ifndef PYPACK_EXIT_CODES_H
#define PYPACK_EXIT_CODES_H

enum exit_code {
    EXIT_FINE = 0,
    EXIT_NO_SELF = 100,    /* the launcher cannot find or read its own file */
    EXIT_NO_BUNDLE = 101,  /* the file holds no program: a bare launcher, or cut short */
    EXIT_TRAILER = 102,    /* the description at the end of the bundle is damaged */
    EXIT_PAYLOAD = 103,    /* a layer in the bundle is damaged */
    EXIT_NO_CACHE = 104,   /* no folder to unpack to */
    EXIT_LOCK = 105,       /* another process has been unpacking for too long */
    EXIT_NO_START = 106,   /* the system refused to start Python */
    EXIT_MEMORY = 107,     /* out of memory */
    EXIT_OLD_SYSTEM = 108, /* the system's C library is missing or older than the program needs */
    EXIT_BAD_WORD = 109,   /* PYPACK_SELF holds no known word, or the word needs what is not there */
    EXIT_IN_USE = 110,     /* PYPACK_SELF=clean: the program is running, or cannot be removed */
    EXIT_DAMAGED = 111,    /* a file that was unpacked is missing, or is another one now */
    EXIT_CHILD = 112,      /* the program was started as an interpreter for one of its own children */
    TRY_NEXT_CACHE = 119   /* never seen outside: this folder cannot be used, try the next */
};

#endif
