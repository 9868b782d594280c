"""``pypack lock``: writes versions, hashes and runtimes to pylock.toml."""

from __future__ import annotations

import argparse

from pypack.base.declare import declared
from pypack.cli import build
from pypack.errors import InputError
from pypack.project import options
from pypack.project.settings import TABLE, BuildOptions, LockOptions

_DOCS = "docs/dependencies.md"

_EXAMPLES = """\
examples:
  pypack lock myapp/                            for the targets of [tool.pypack], else this machine
  pypack lock myapp/ --target linux-gnu-x86_64,windows-x86_64 --python 3.13
  pypack lock tool.py                           a script with inline metadata: pylock.tool.toml
  pypack lock myapp/ --upgrade-package httpx    renew one package, keep the rest
  pypack lock myapp/ --upgrade                  renew all, runtimes too
  pypack lock myapp/ --check                    is what is there still right? writes and asks nothing

Builds find the lock by themselves: they take what stands in it and never ask an index what is
newest. When the program asks for something else by now, a build ends with an error that says what.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "lock", help="write pylock.toml", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for settings in (declared(BuildOptions), declared(LockOptions), TABLE):
        options.add_options(parser, settings.values(), "lock")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the lock, or check the existing one."""
    from pypack.base import targets
    from pypack.deps.universal import Upgrade
    from pypack.plan import locking
    from pypack.project import program
    from pypack.steps.step import Settings

    lock_options = options.record(
        LockOptions, options.parse_options(arguments, declared(LockOptions), options.absolute_path)
    )
    if lock_options.check and (lock_options.upgrade or lock_options.upgrade_package):
        raise InputError("--check writes nothing", hint="leave out --check, or --upgrade", docs=_DOCS)
    build_options, overrides = build.read_build_options(arguments), build.settings(arguments)
    target_names = overrides.pop("targets", None)
    project = program.load(build_options.app, renew=not lock_options.check, **overrides)
    display = build.open_display(build_options)
    settings = Settings(
        offline=build_options.offline, verbose=build_options.verbose, shown_by=display,
        say=display.project(str(project.root), quiet=project.quiet),
    )  # fmt: skip
    selected = targets.select(target_names or locking.targets_of(project), targets.load())
    code = 1
    try:
        if lock_options.check:
            locking.check(project, selected, settings=settings)
        else:
            upgrade = Upgrade(everything=lock_options.upgrade, packages=lock_options.upgrade_package)
            locking.write(project, selected, upgrade=upgrade, settings=settings)
            display.resolved()
        code = 0
    finally:
        display.end(code)
    return code
