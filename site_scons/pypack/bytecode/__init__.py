"""Compiling, and where bytecode lies."""
