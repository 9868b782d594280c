"""Builds the C launcher of stubs/; icon, version and manifest for Windows."""
