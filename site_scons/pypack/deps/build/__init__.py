"""Build wheels: of local projects, and of packages without a fitting wheel in the index.

:mod:`steps` has the steps. No code of a package runs in this process: a build backend is
called by a worker (``boot/backend.py``) in an interpreter of its own.
"""
