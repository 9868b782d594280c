"""CPython and its C libraries, built from pinned source archives with zig."""
