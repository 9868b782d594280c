"""Numbers of the Mach-O format, from Apple's public headers ``<mach-o/loader.h>`` and ``<mach-o/fat.h>``."""

from __future__ import annotations

from typing import Final

MAGIC_64: Final = 0xFEEDFACF
FAT_MAGIC: Final = 0xCAFEBABE
FAT_MAGIC_64: Final = 0xCAFEBABF
MOST_SLICES: Final = 16
"""A Java class has the magic of a fat file, and a version of 45 or more where the number of slices stands."""

HEADER_SIZE: Final = 32
CPU_X86_64: Final = 0x01000007
CPU_ARM64: Final = 0x0100000C
ARCHITECTURES: Final = {CPU_X86_64: "x86_64", CPU_ARM64: "aarch64", 7: "x86", 0x0200000C: "arm64_32", 12: "armv7"}
"""Processors by the names that targets use."""
PAGE: Final = {CPU_X86_64: 0x1000, CPU_ARM64: 0x4000}
"""Bytes of a memory page."""

MH_OBJECT: Final = 1
MH_EXECUTE: Final = 2
MH_DYLIB: Final = 6
MH_BUNDLE: Final = 8

REQ_DYLD: Final = 0x80000000
LC_SYMTAB: Final = 0x2
LC_DYSYMTAB: Final = 0xB
LC_LOAD_DYLIB: Final = 0xC
LC_ID_DYLIB: Final = 0xD
LC_LOAD_WEAK_DYLIB: Final = 0x18 | REQ_DYLD
LC_SEGMENT_64: Final = 0x19
LC_UUID: Final = 0x1B
LC_RPATH: Final = 0x1C | REQ_DYLD
LC_CODE_SIGNATURE: Final = 0x1D
LC_REEXPORT_DYLIB: Final = 0x1F | REQ_DYLD
LC_LAZY_LOAD_DYLIB: Final = 0x20
LC_DYLD_INFO: Final = 0x22
LC_DYLD_INFO_ONLY: Final = 0x22 | REQ_DYLD
LC_LOAD_UPWARD_DYLIB: Final = 0x23 | REQ_DYLD
LC_VERSION_MIN_MACOSX: Final = 0x24
LC_BUILD_VERSION: Final = 0x32

LOADS: Final = frozenset(
    {LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB, LC_LAZY_LOAD_DYLIB, LC_LOAD_UPWARD_DYLIB}
)
"""Commands that name a library which is needed."""

LINKEDIT_DATA: Final = {
    LC_CODE_SIGNATURE: "LC_CODE_SIGNATURE",
    0x1E: "LC_SEGMENT_SPLIT_INFO",
    0x26: "LC_FUNCTION_STARTS",
    0x29: "LC_DATA_IN_CODE",
    0x2B: "LC_DYLIB_CODE_SIGN_DRS",
    0x2E: "LC_LINKER_OPTIMIZATION_HINT",
    0x33 | REQ_DYLD: "LC_DYLD_EXPORTS_TRIE",
    0x34 | REQ_DYLD: "LC_DYLD_CHAINED_FIXUPS",
    0x36: "LC_ATOM_INFO",
}
"""Commands of one shape (``linkedit_data_command``): an offset and a size inside ``__LINKEDIT``."""

WITHOUT_OFFSETS: Final = LOADS | {
    LC_ID_DYLIB, LC_UUID, LC_RPATH, LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION,
    0xE,  # LC_LOAD_DYLINKER
    0xF,  # LC_ID_DYLINKER
    0x27,  # LC_DYLD_ENVIRONMENT
    0x28 | REQ_DYLD,  # LC_MAIN: its offset points into __TEXT, which stays
    0x2A,  # LC_SOURCE_VERSION
    0x2D,  # LC_LINKER_OPTION
    0x39,  # LC_TARGET_TRIPLE
}  # fmt: skip
"""Commands that hold no offset that changes when ``__LINKEDIT`` moves."""

NAMES: Final = {
    LC_SYMTAB: "LC_SYMTAB", 0x3: "LC_SYMSEG", 0x4: "LC_THREAD", 0x5: "LC_UNIXTHREAD", LC_DYSYMTAB: "LC_DYSYMTAB",
    0x10: "LC_PREBOUND_DYLIB", 0x16: "LC_TWOLEVEL_HINTS", LC_SEGMENT_64: "LC_SEGMENT_64", 0x1: "LC_SEGMENT",
    0x11: "LC_ROUTINES", 0x1A: "LC_ROUTINES_64", 0x21: "LC_ENCRYPTION_INFO", 0x2C: "LC_ENCRYPTION_INFO_64",
    0x31: "LC_NOTE", 0x35 | REQ_DYLD: "LC_FILESET_ENTRY", 0x37: "LC_FUNCTION_VARIANTS",
    0x38: "LC_FUNCTION_VARIANT_FIXUPS", LC_DYLD_INFO: "LC_DYLD_INFO", LC_DYLD_INFO_ONLY: "LC_DYLD_INFO_ONLY",
    **LINKEDIT_DATA,
}  # fmt: skip
"""Names of load commands for errors."""

PLATFORMS: Final = {1: "macos", 2: "ios", 3: "tvos", 4: "watchos", 6: "maccatalyst"}
PROT_READ: Final = 1
ZERO_FILL: Final = frozenset({0x1, 0xC, 0x12})
"""Types of sections that have no bytes in the file: S_ZEROFILL, S_GB_ZEROFILL, S_THREAD_LOCAL_ZEROFILL."""
