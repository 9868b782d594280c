"""The node that writes the links of a program's commands beside its bundle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import SCons.Action
import SCons.Errors

from pypack.base import files
from pypack.base.notes import Note
from pypack.errors import PypackError
from pypack.scons import actions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from SCons.Environment import Base
    from SCons.Node.FS import File

    from pypack.base.targets import Target
    from pypack.project.program import Project


def link_nodes(env: Base, project: Project, target: Target, bundle: File, build: Path) -> list[File]:
    """Return the node that writes the links, or removes those of earlier builds; none where there is nothing to do.

    It runs in each build, also where the bundle is current: the links may be missing.
    """
    record = build / "apps" / project.name / target.name / "links.json"
    commands = project.entry.commands if project.alias else []
    if project.alias and not commands:
        text = "alias makes links for several commands, and the program is one"
        actions.settings(env).say(Note("one-command", text))
    if (not commands and not record.is_file()) or env.GetOption("clean"):
        return []
    write = partial(_write, commands=commands, suffix=target.suffix, record=record)
    node = env.Alias(f"links of {bundle}", bundle, SCons.Action.FunctionAction(write, {"cmdstr": None}))
    env.AlwaysBuild(node)
    return list(node)


def _write(
    target: object, source: Sequence[File], env: Base, *, commands: list[str], suffix: str, record: Path
) -> object:  # fmt: skip
    from pypack.bundle import aliases

    say = actions.settings(env).say
    bundle = Path(source[0].get_abspath())
    try:
        for line in aliases.write(bundle, commands, record, suffix=suffix):
            say(line)
    except (PypackError, OSError) as error:
        told = error if isinstance(error, PypackError) else files.disk_error(error, bundle)
        return SCons.Errors.BuildError(target, str(told), status=told.exit_code)
    return None
