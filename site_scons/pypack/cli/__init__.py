"""The command ``pypack``: its front (:mod:`pypack.cli.front`), and one module for each command."""

from __future__ import annotations

from pypack.cli.front import main

__all__ = ["main"]
