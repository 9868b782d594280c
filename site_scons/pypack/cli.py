"""The command ``pypack``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack import __version__
from pypack.errors import InputError, PypackError, near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pypack.project import Project
    from pypack.targets import Target

_EXAMPLES = """\
examples:
  pypack build myapp/                           a folder with __main__.py, for this machine
  pypack build --entry tool.py -o dist/tool     one script
  pypack build --entry myapp/ -r requirements.txt --target linux-musl-x86_64
  pypack run examples/greet -- --name Ada       build and start
  pypack run examples/greet --target windows-x86_64 -- --name Ada   the same, by wine
  pypack lock myapp/                            keep versions, hashes and runtimes in pylock.toml
  pypack inspect dist/linux-musl-x86_64/myapp   what is in a bundle
  pypack targets                                what can be built for
"""
_BUILD_EXAMPLES = """\
examples:
  pypack build myapp/
  pypack build --entry myapp/ -r requirements.txt -o dist/myapp --python 3.13
  pypack build --entry pkg.cli:main --target host,linux-musl-x86_64
  pypack build myapp/ --target all -j4                      Linux, macOS and Windows in one call
  pypack build myapp/ --target windows-x86_64 --runtime embed

Icon, console or window, signing and the oldest systems to run on are settings of the
program: [tool.pypack] in its pyproject.toml, see docs/settings.md.
"""

_LOCK_EXAMPLES = """\
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
_RUN_EXAMPLES = """\
examples:
  pypack run examples/greet -- --name Ada
  pypack run examples/greet --target windows-x86_64 -- --name Ada      by wine
  pypack run examples/greet --target linux-musl-aarch64 -- --name Ada  by qemu

What follows -- is given to the program; its exit code is the command's.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 build failed, 2 bad input, 3 not to be fetched."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    cut = words.index("--") if "--" in words else len(words)
    options, unknown = _parser().parse_known_args(words[:cut])
    options.arguments = words[cut + 1 :]  # of the program that "run" starts
    if options.arguments and options.run is not _run:
        _refuse(options.parser, ["--", *options.arguments])
    if unknown:
        _refuse(options.parser, unknown)
    try:
        return int(options.run(options))
    except PypackError as error:
        if options.debug:
            raise
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _complain(text: str) -> None:
    red, plain = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
    print(f"{red}pypack: {text}{plain}", file=sys.stderr)


def _refuse(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """End with the options that are close to what was typed."""
    known = [word for word in parser.format_help().replace(",", " ").split() if word.startswith("-")]
    hints = [near(word.split("=", maxsplit=1)[0], dict.fromkeys(known)) for word in words if word.startswith("-")]
    behind = "; what is for the program stands behind --" if parser.prog.endswith(" run") else ""
    parser.error(f"not understood: {' '.join(words)}{''.join(hints)}{behind}")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="pypack", description="Ship a Python program as one file.", epilog=_EXAMPLES, formatter_class=raw
    )
    parser.add_argument("--version", action="version", version=f"pypack {__version__}")
    parser.add_argument("--debug", action="store_true", help="show a traceback when something fails")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_build(commands.add_parser("build", help="build bundles", epilog=_BUILD_EXAMPLES, formatter_class=raw))
    _add_run(commands.add_parser("run", help="build a bundle and start it", epilog=_RUN_EXAMPLES, formatter_class=raw))
    _add_lock(commands.add_parser("lock", help="write pylock.toml", epilog=_LOCK_EXAMPLES, formatter_class=raw))
    targets = commands.add_parser("targets", help="list the targets")
    targets.set_defaults(run=_targets, parser=targets)
    inspect = commands.add_parser("inspect", help="show what is in a bundle, and check it")
    inspect.add_argument("bundle", type=Path, metavar="BUNDLE")
    inspect.add_argument("--json", action="store_true", help="print JSON for machines")
    inspect.set_defaults(run=_inspect, parser=inspect)
    cache = commands.add_parser("cache", help="show what is kept on this machine, or prune it")
    cache.add_argument("--prune", type=int, metavar="DAYS", help="remove what was not used for DAYS days")
    cache.set_defaults(run=_cache, parser=cache)
    return parser


def _add_build(build: argparse.ArgumentParser) -> None:
    add = build.add_argument
    _add_program(build)
    add("-o", "--output", default="", metavar="OUT", help="file to write (default: dist/<target>/<name>)")
    add("--name", default="", help="name of the executable")
    add("--mode", default="", metavar="M", help="onefile")
    add("--startup", default="", metavar="S", help="normal, or fast: garbage collection held back while importing")
    add(
        "--profile",
        default="",
        choices=("", "dev", "release"),
        metavar="P",
        help="dev packs fast, release (default) packs small",
    )
    add("--no-sources", action="store_true", help="leave .py files out; tracebacks then show no lines")
    _add_selection(build)
    add("--upgrade", action="store_true", help="resolve the requirements and choose the runtime anew")
    add("-j", "--jobs", type=int, metavar="N", help="steps at the same time")
    build.set_defaults(run=_build, parser=build)


def _add_program(parser: argparse.ArgumentParser) -> None:
    """Add what names a program, its packages, its targets and its runtime."""
    add = parser.add_argument
    add("dir", nargs="?", metavar="DIR", help="folder of the program, or a script (default: this folder)")
    add(
        "--entry",
        default="",
        metavar="PATH|MODULE[:FUNC]",
        help="where it begins: a script, a package folder or module:function",
    )
    _add_packages(parser)
    add("--python", default="", metavar="V", help="version of CPython, e.g. 3.13")
    add("--target", default="", metavar="T", help="targets with commas between them, all or host; see: pypack targets")
    add("--runtime", default="", metavar="R", help="auto, pbs, source, embed, host, or a path or address of a runtime")
    add("--offline", action="store_true", help="use only what was fetched before")
    add("-v", "--verbose", action="store_true", help="show every command")


def _add_lock(lock: argparse.ArgumentParser) -> None:
    add = lock.add_argument
    _add_program(lock)
    add("--check", action="store_true", help="only say whether the lock that is there serves")
    add("--upgrade", action="store_true", help="take the newest packages and choose the runtimes anew")
    add(
        "--upgrade-package", action="append", default=[], metavar="NAME",
        help="take the newest of this package; may be given again",
    )  # fmt: skip
    lock.set_defaults(run=_lock, parser=lock)


def _add_packages(build: argparse.ArgumentParser) -> None:
    group = build.add_argument_group("packages", "by default what the program's folder says: see docs/dependencies.md")
    add = group.add_argument
    add(
        "-r",
        "--requirements",
        default="",
        metavar="FILE",
        help="requirements file, pyproject.toml, uv.lock, pylock.toml, setup.py, or a script with inline metadata",
    )
    add("--extra", action="append", default=[], metavar="NAME", help="extra of the program; may be given again")
    add("--group", action="append", default=[], metavar="NAME", help="dependency group; may be given again")
    add("--wheel", action="append", default=[], metavar="FILE", help="wheel to bring along; may be given again")
    add("--venv", default="", metavar="DIR", help="take the packages of a virtual environment as they are")


def _add_selection(build: argparse.ArgumentParser) -> None:
    group = build.add_argument_group("what goes in", "each may be given again; in the place of what the settings say")
    add = group.add_argument
    add(
        "--include",
        action="append",
        default=[],
        metavar="GLOB",
        help="files that would be left out, or go with a script",
    )
    add("--exclude", action="append", default=[], metavar="GLOB", help="files of the program that stay out")
    add(
        "--exclude-packages",
        action="append",
        default=[],
        metavar="NAME[:GLOB]",
        help="packages, or files of packages, that stay out; stdlib:GLOB for the standard library",
    )
    add("--exclude-tests", action="store_true", help="leave the tests of packages and of the standard library out")
    add(
        "--optimize",
        choices=("0", "1", "2"),
        default="",
        metavar="N",
        help="1 drops assert statements, 2 docstrings too",
    )
    add("--report", default="", metavar="FILE", help="write there who brought each file, its size, and why")
    add("--sizes", action="store_true", help="show what takes how much room")


def _selection(options: argparse.Namespace) -> dict[str, str]:
    lists = {key: getattr(options, key) for key in ("include", "exclude", "exclude_packages")}
    return {
        **{key: ",".join(_listed(value)) for key, value in lists.items()},
        "exclude_tests": "yes" if options.exclude_tests else "",
        "optimize": options.optimize,
        "report": str(Path(options.report).absolute()) if options.report else "",
        "sizes": "yes" if options.sizes else "",
    }


def _add_run(run: argparse.ArgumentParser) -> None:
    _add_build(run)
    run.usage = "pypack run [option …] [DIR] [-- ARGUMENT …]"
    run.set_defaults(run=_run, parser=run)


def _run(options: argparse.Namespace) -> int:
    """Build for one target and start the result there, or by an emulator."""
    from pypack import runner

    found, chosen = _asked_for(options)
    if len(chosen) > 1:
        raise InputError("only one target can be started at a time", do="name one with --target")
    target = chosen[0]
    by = runner.checked(target)
    with contextlib.redirect_stdout(sys.stderr):  # what the program prints shall be all of the output
        code = _build(options)
    if code:
        return code
    place = Path(options.output) if options.output else Path("dist") / target.name / f"{found.name}{target.suffix}"
    return runner.start(place, by, options.arguments, say=lambda text: print(text, file=sys.stderr, flush=True))


def _lock(options: argparse.Namespace) -> int:
    from pypack import locking, project, targets
    from pypack.packages.universal import Upgrade
    from pypack.pipeline import Settings

    if options.check and (options.upgrade or options.upgrade_package):
        raise InputError("--check writes nothing", do="leave out --check, or --upgrade")
    app = Path(options.dir) if options.dir else None
    found = project.load(
        app, entry=options.entry, renew=not options.check, python=options.python, runtime=options.runtime,
        **_packages(options),
    )  # fmt: skip
    named = [options.target] if options.target else locking.targets_of(found)
    settings = Settings(offline=options.offline, verbose=options.verbose)
    chosen = targets.select(named, targets.load())
    if options.check:
        locking.check(found, chosen, settings=settings)
    else:
        upgrade = Upgrade(everything=options.upgrade, packages=tuple(_listed(options.upgrade_package)))
        locking.write(found, chosen, upgrade=upgrade, settings=settings)
    return 0


def _asked_for(options: argparse.Namespace) -> tuple[Project, list[Target]]:
    """Read the project and its targets, so that bad input is one error before SCons starts."""
    from pypack import project, targets

    app = Path(options.dir) if options.dir else None
    found = project.load(
        app, entry=options.entry, name=options.name, mode=options.mode, startup=options.startup, **_packages(options)
    )
    return found, targets.select([options.target] if options.target else found.targets, targets.load())


def _packages(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say of packages, as settings; paths count from here."""
    return {
        "requirements": str(Path(options.requirements).absolute()) if options.requirements else "",
        "venv": str(Path(options.venv).absolute()) if options.venv else "",
        "extras": _listed(options.extra),
        "groups": _listed(options.group),
        "wheels": [str(Path(file).absolute()) for file in _listed(options.wheel)],
    }


def _listed(values: list[str]) -> list[str]:
    return [word for value in values for word in value.split(",") if word]


def _build(options: argparse.Namespace) -> int:
    """Check the input, then run the same SCons graph as ``scons`` does, in this process."""
    from pypack import folders

    found, chosen = _asked_for(options)
    if options.output and len(chosen) > 1:
        raise InputError("-o names one file, but there are several targets", do="leave -o out: dist/<target>/<name>")
    if options.output and Path(options.output).is_dir():
        raise InputError(
            f"-o {options.output} is a folder; a file is meant", do=f"try -o {options.output}/{found.name}"
        )
    values = {
        "app": options.dir or ("" if options.entry else "."), "entry": options.entry, "name": options.name,
        "target": options.target, "python": options.python, "runtime": options.runtime,
        "mode": options.mode, "startup": options.startup, "profile": options.profile,
        "sources": "no" if options.no_sources else "",
        "offline": "yes" if options.offline else "", "upgrade": "yes" if options.upgrade else "",
        "verbose": "yes" if options.verbose else "",
        "out": str(Path(options.output).absolute()) if options.output else "",
    }  # fmt: skip
    values |= {key: ",".join(value) if isinstance(value, list) else value for key, value in _packages(options).items()}
    values |= _selection(options)
    words = [f"{key}={value}" for key, value in values.items() if value]
    jobs = [f"-j{options.jobs}"] if options.jobs else []
    from pypack import bridge

    return bridge.run(["-Q", "-f", str(folders.sconstruct()), *jobs, *words])


def _targets(options: argparse.Namespace) -> int:
    del options
    from pypack import hosts, targets

    for target in targets.load().values():
        here = "  (this machine)" if target.name == hosts.target_name() else ""
        made = f"joins {' and '.join(target.of)}" if target.of else f"runtimes: {', '.join(target.providers)}"
        print(f"{target.name:<20} {target.container:<6} {made}{here}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from pypack.bundle import inspect

    return inspect.show(options.bundle, as_json=options.json)


def _cache(options: argparse.Namespace) -> int:
    from pypack import caches

    return caches.prune(options.prune) if options.prune is not None else caches.show()
