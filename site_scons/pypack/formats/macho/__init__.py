"""Mach-O, the format of programs and libraries on macOS: payload, signatures, install names, universal files.

``read`` and ``sign`` are the foundation of what writes; ``check`` shares nothing with them on purpose.
"""
