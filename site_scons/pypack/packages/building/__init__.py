"""Wheels made here: of local projects, and of packages that no index has a fitting wheel of.

:mod:`steps` says which nodes that takes. No code of a package runs in this process: a build backend is
called by a worker (``boot/backend.py``) in an interpreter of its own.
"""
