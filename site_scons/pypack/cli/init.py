"""``pypack init``: writes the settings of a program into its folder, and files for CI, nox and SCons if asked for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.errors import InputError

if TYPE_CHECKING:
    from pypack.project.program import Project

_DOCS = "docs/settings.md"

_EXAMPLES = """\
examples:
  pypack init                         settings for the program in this folder
  pypack init myapp/ --ci github      and a workflow that builds it for every system
  pypack init --nox --scons           and a noxfile.py and an SConstruct

A file that exists is never overwritten; of pyproject.toml only the end changes.
"""
_SETTINGS = """\
[tool.pypack]
{entry}
# targets = ["host"]             # what to build for: pypack targets lists them, "all" means all
# python = "3.13"                # CPython's version; the default is the newest that can be had
# exclude-packages = []          # what the program does not need, e.g. "numpy:numpy/*/tests"
# floors = {{ glibc = "2.28" }}    # the oldest systems to run on; a higher floor lets newer wheels fit
# pypack build --help lists all settings.
"""
_GITHUB = """\
name: bundles
on: [push]
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{ python-version: "3.13" }}
      - uses: actions/cache@v4
        with: {{ path: ~/.cache/pypack, key: "pypack-${{{{ hashFiles('**/pyproject.toml', '**/pylock.toml') }}}}" }}
      - run: pip install {requirement}
      - run: pypack build --target all
      - uses: actions/upload-artifact@v4
        with: {{ name: {name}, path: dist/ }}
"""
_GITLAB = """\
bundles:
  image: python:3.13
  cache: {{ paths: [.cache/] }}
  variables: {{ XDG_CACHE_HOME: $CI_PROJECT_DIR/.cache }}
  script:
    - pip install {requirement}
    - pypack build --target all
  artifacts: {{ paths: [dist/] }}
"""
_NOXFILE = '''\
"""``nox -s bundle`` builds {name} for this machine, ``nox -s bundle -- all`` for every system."""

import nox
import pypack.nox  # {requirement}, installed beside nox


@nox.session(python=False)
def bundle(session: nox.Session) -> None:
    pypack.nox.bundle(session, *session.posargs)
'''
_SCONSTRUCT = '''\
"""``scons`` builds {name} for this machine, ``scons target=all`` for every system."""

import pypack

env = Environment(tools=[pypack.generate])
Default(env.PyBundle(app=".", target=ARGUMENTS.get("target", "host")))
'''
_FILES = {
    "github": (".github/workflows/bundles.yml", _GITHUB),
    "gitlab": (".gitlab-ci.yml", _GITLAB),
    "nox": ("noxfile.py", _NOXFILE),
    "scons": ("SConstruct", _SCONSTRUCT),
}
"""What is added, by the word that asks for it: the file and its text."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "init", help="write the settings of a program into its folder", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="the program's folder")
    parser.add_argument("--entry", metavar="PATH|MODULE[:FUNC]", help="where the program begins")
    parser.add_argument("--ci", choices=("github", "gitlab"), help="add a workflow that builds for every system")
    parser.add_argument("--nox", action="store_true", help="add a noxfile.py")
    parser.add_argument("--scons", action="store_true", help="add an SConstruct")
    parser.set_defaults(run=run, parser=parser)


def run(typed: argparse.Namespace) -> int:
    """Write the files that are missing, and print the next command."""
    from pypack.project import program

    folder: Path = typed.folder.absolute()
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", hint="name the program's folder, or make it", docs=_DOCS)
    project = program.load(folder, **({"entry": typed.entry} if typed.entry else {}))
    asked = [word for word in (typed.ci, "nox" if typed.nox else None, "scons" if typed.scons else None) if word]
    texts = [
        (folder / path, text.format(name=project.name, requirement=_requirement()))
        for path, text in map(_FILES.__getitem__, asked)
    ]
    print(_add_settings(folder / "pyproject.toml", project, typed.entry))
    for path, text in texts:
        print(_write_new(path, text))
    shown = "" if typed.folder == Path() else f" {typed.folder}"
    print(f"next: pypack build{shown}")
    return 0


def _requirement() -> str:
    from pypack import __version__

    return f"scons-pypack~={__version__}"


def _write_new(path: Path, text: str) -> str:
    """Write a file unless there is one; return what happened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return f"{path} is there already, and stays as it is"
    return f"{path} written"


def _add_settings(path: Path, project: Project, entry: str | None) -> str:
    """Append ``[tool.pypack]`` to pyproject.toml; return what happened."""
    import tomlkit

    settings = _SETTINGS.format(entry=_entry_line(project, entry))
    if not path.exists():
        return _write_new(path, settings)  # a [project] table would change what names the packages
    text = path.read_text(encoding="utf-8")
    if "pypack" in tomlkit.parse(text).get("tool", {}):
        return f"{path} has [tool.pypack] already, and stays as it is"
    from pypack.base import files

    gap = "" if text.endswith("\n\n") or not text else "\n" if text.endswith("\n") else "\n\n"
    files.write_text(path, text + gap + settings)
    return f"{path}: [tool.pypack] added"


def _entry_line(project: Project, entry: str | None) -> str:
    """Return the setting for where the program begins: a comment where that was found without it."""
    import tomlkit

    found = project.entry
    if found.kind == "scripts" and not entry:
        return f"# commands: {', '.join(found.commands)}"
    name = entry or (f"{found.name}:{found.function}" if found.function else found.name)
    line = f"entry = {tomlkit.item(name).as_string()}"
    return line if entry else f"# {line}    # found without this line"
