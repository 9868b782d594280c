"""Turns steps into SCons nodes. With :mod:`pypack.actions` the only module that imports SCons.

Each step is one node. What decides whether it is up to date, and where it is in the CacheDir, is its action's name and
version, its params (a Value node), and the contents of its inputs; never the bytecode of a Python function, which
differs between the versions of the Python that runs SCons.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import SCons.Action
import SCons.Scanner
import SCons.Script

from pypack import actions, entries, folders, keeping, pipeline, planning, project, targets
from pypack.bundle import trailer
from pypack.errors import InputError, PypackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from SCons.Environment import Base
    from SCons.Node.FS import File

    from pypack.pipeline import Step

_DEFAULTS = {"PYPACK_BUILD": "build", "PYPACK_DIST": "dist", "PYPACK_OFFLINE": False, "PYPACK_VERBOSE": False,
             "PYPACK_UPGRADE": False}  # fmt: skip


def install(env: Base) -> None:
    """Give ``env`` the methods ``PyBundle``, ``PyRuntime`` and ``PyStep``; variables that are set already stay."""
    env.SetDefault(**_DEFAULTS)
    env.AddMethod(py_bundle, "PyBundle")
    env.AddMethod(py_runtime, "PyRuntime")
    env.AddMethod(py_step, "PyStep")


def run(words: Sequence[str]) -> int:
    """Run SCons in this process and return how it ended; a step that failed gives its own error's exit code.

    SCons itself ends with 2 whatever failed.
    """
    sys.argv = ["scons", *words]
    try:
        SCons.Script.main()
    except SystemExit as stop:
        failed = [failure.status for failure in SCons.Script.GetBuildFailures()]
        return int(failed[0] if failed else stop.code or 0)
    return 0


def py_bundle(
    env: Base,
    name: str = "",
    *,
    app: str = "",
    entry: str = "",
    target: str = "",
    out: str = "",
    **given: Any,  # noqa: ANN401 - settings of several kinds
) -> list[File]:
    """``env.PyBundle``: one bundle for each target, as a list of nodes below ``dist/``.

    ``app`` is the program's folder or script, ``entry`` where it begins, ``target`` a name, several with commas,
    ``all`` or ``host``; ``out`` names the file to write (one target only). ``given`` are the
    other settings of ``[tool.pypack]``, of the same kinds, and win over it: version, python, runtime, targets,
    requirements, extras, groups, wheels, venv, package, no_binary, no_build, include, exclude, exclude_packages,
    exclude_tests, optimize, sources, profile, mode, startup, pins, floors, console, icon, company, description,
    copyright, sign, launch, self_commands, interpreter, scripts_on_path. ``report`` names a file that tells what is
    in the bundles, ``sizes`` shows it in short; their nodes stand behind the others. Paths (``requirements``,
    ``venv``, ``icon``) count from the SConscript's folder, ``#`` is the top.
    """
    try:
        return _bundles(env, name, app, entry, target, out, given)
    except PypackError as error:
        _end(error)


def _bundles(
    env: Base, name: str, app: str, entry: str, target: str, out: str, given: dict[str, Any]
) -> list[File]:  # fmt: skip
    report, sizes = given.pop("report", ""), given.pop("sizes", False)
    given = given | {key: str(_path(env, given[key])) for key in ("requirements", "venv", "icon") if given.get(key)}
    found = project.load(_path(env, app) if app else None, entry=entry, name=name, **given)
    table = targets.load()
    chosen = targets.select([target] if target else found.targets, table)
    if out and len(chosen) > 1:
        raise InputError("out names one file, but there are several targets", do="leave it out: dist/<target>/<name>")
    inner = _inner(env)
    places = {each.name: _place_of(inner, out or _dist(inner, found.name, each)) for each in chosen}
    if out:
        _keep_foreign(Path(places[chosen[0].name].get_abspath()))
    written = [_report_place(inner, report)] if report else []
    found = replace(found, outputs=_outputs(inner, [*places.values(), *written]))
    steps = planning.bundles(found, chosen, build=Path(inner["PYPACK_BUILD_PATH"]), settings=actions.settings(inner))
    nodes = []
    for each, step in zip(chosen, steps, strict=True):
        nodes.append(_node(inner, step, place=places[each.name]))
        inner.Alias(each.name, nodes[-1])
    return nodes + _reports(inner, found, list(zip(steps, nodes, strict=True)), report, sizes=sizes)


def _reports(
    env: Base, found: project.Project, made: list[tuple[Step, File]], report: str, *, sizes: bool
) -> list[File]:  # fmt: skip
    """Return the node of the report, and what shows it, where they are asked for."""
    if not report and not sizes:
        return []
    from pypack import reporting

    each = [reporting.one(plan, Path(node.get_abspath())) for step, node in made for plan in reporting.plans(step)]
    node = _node(env, reporting.whole(found, each), place=_report_place(env, report) if report else None)
    if not sizes:
        return [node]
    shown = env.Alias(f"sizes of {found.name}", node, SCons.Action.FunctionAction(_show_sizes, {"cmdstr": None}))
    env.AlwaysBuild(shown)
    return [node, *shown]


def _report_place(env: Base, file: str) -> File:
    """Return the node of the report; what is there must be one already, or nothing."""
    from pypack.bundle import report

    place = _place_of(env, file)
    path = Path(place.get_abspath())
    if path.exists() and path.stat().st_size and not report.is_one(path):
        raise InputError(f"{path} is there already, and is no report", do="choose another name, or remove it")
    return place


def _show_sizes(target: object, source: Sequence[File], env: Base) -> None:
    from pypack.bundle import report

    del target, env
    for bundle in report.read(Path(source[0].get_abspath())):
        for line in report.table(bundle):
            actions.say(f"  {line}")


def py_runtime(env: Base, *, target: str = "host", python: str = "", runtime: str = "auto") -> File:
    """``env.PyRuntime``: the runtime image of a target, as a node."""
    try:
        inner = _inner(env)
        begin = entries.Entry(kind="script", name="")
        wanted = project.Project(
            name="runtime", version="0", root=Path(), folder=Path.cwd(), entry=begin, python=python, runtime=runtime
        )
        chosen = targets.find(target, targets.load())
        build = Path(inner["PYPACK_BUILD_PATH"])
        return _node(inner, planning.runtime(wanted, chosen, build=build, settings=actions.settings(inner)).image)
    except PypackError as error:
        _end(error)


def _end(error: PypackError) -> NoReturn:
    """End the build with one error; SCons would add the line of ours that it passed through."""
    print(f"\nscons: *** {error}", file=sys.stderr, flush=True)
    raise SystemExit(error.exit_code)


def py_step(env: Base, step: Step) -> File:
    """``env.PyStep``: the node of any :class:`pypack.pipeline.Step`."""
    return _node(_inner(env), step)


def _dist(env: Base, name: str, target: targets.Target) -> str:
    return f"{env.subst('$PYPACK_DIST')}/{target.name}/{name}{target.suffix}"


def _place_of(env: Base, file: str) -> File:
    """Return the node of a file to write; a relative path counts from the top folder."""
    whole = Path(file) if Path(file).is_absolute() else Path(env.Dir("#").get_abspath()) / file
    if whole.is_dir():
        raise actions.FolderError(whole)
    return env.File(_literal(whole))


def _keep_foreign(place: Path) -> None:
    """Refuse to write over a file that is no bundle: it may be somebody's work."""
    try:
        if place.exists() and place.stat().st_size and not trailer.ends(place):
            from pypack.bundle import verify

            verify.read(place)  # what was signed ends in a certificate
    except InputError as error:
        raise InputError(
            f"{place} is there already, and is no bundle", do="choose another name, or remove it"
        ) from error


def _outputs(env: Base, places: Iterable[File]) -> tuple[Path, ...]:
    top = Path(env.Dir("#").get_abspath())
    folders_of_ours = (top / env.subst("$PYPACK_BUILD"), top / env.subst("$PYPACK_DIST"))
    return (*folders_of_ours, *(Path(each.get_abspath()) for each in places))


def _literal(path: Path) -> str:
    """Spell a path so that SCons takes a ``$`` in it for what it is."""
    return str(path.absolute()).replace("$", "$$")


def _inner(env: Base) -> Base:
    """Return a copy of the user's environment with our own rules for what is up to date."""
    inner = env.Clone()
    inner.Decider("content-timestamp")
    inner["PYPACK_BUILD_PATH"] = str(inner.Dir("#" + inner.subst("$PYPACK_BUILD")).get_abspath())
    if not getattr(inner, "_CacheDir_path", None):
        cache = folders.build_cache()
        try:
            folders.prepare()
            cache.mkdir(exist_ok=True)
            if not os.access(cache, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            inner.CacheDir(_literal(cache))
        except OSError as error:  # a read-only home: build without it
            actions.say(f"pypack: building without the cache {cache}: {error.strerror}")
    return inner


def _path(env: Base, name: object) -> Path:
    """Return a path or node that a user wrote: relative to the SConscript's own folder, ``#`` for the top."""
    text = str(name)
    if Path(text).is_absolute():
        return Path(text)
    return Path(env.Entry(text.replace("$", "$$")).srcnode().get_abspath())


def _node(env: Base, step: Step, *, place: File | None = None) -> File:
    """Return the node of ``step``; the same product asked for twice is one node, and must mean the same step."""
    node: File = place if place is not None else env.File(f"#{env.subst('$PYPACK_BUILD')}/{step.product}")
    meaning = _meaning(step, {})
    known = getattr(node.attributes, "pypack", None)
    if known == meaning:
        return node
    if known is not None:
        raise InputError(f"two different things are to be made as {node}", do="give one of them another name")
    node.attributes.pypack = meaning
    cache = actions.cache_folder(env) if step.kept else None
    recipe = keeping.recipe(step) if cache else ""
    kept = keeping.found(Path(node.get_abspath()), recipe, cache) if cache and recipe else None
    if kept:
        env.Command(node, env.Value(recipe), actions.KeptAction(kept))
        env.NoCache(node)
        return node
    sources = [_input(env, each) for each in step.inputs]
    action = actions.StepAction(step, extra=partial(_extra, env, step), kept=recipe)
    extra: dict[str, Any] = {"source_scanner": _scanner(env, step)} if step.expand else {}
    env.Command(node, [*sources, env.Value(pipeline.signature(step))], action, **extra)
    if not step.cached or (step.action == "resolve" and env["PYPACK_UPGRADE"]):
        env.NoCache(node)
    if step.action == "resolve" and env["PYPACK_UPGRADE"]:
        env.AlwaysBuild(node)
    return node


def _input(env: Base, each: Step | Path) -> File:
    return env.File(_literal(each)) if isinstance(each, Path) else _node(env, each)


def _meaning(step: Step, known: dict[int, str]) -> str:
    """Return a hash over a step and all that it is made from, so that one product cannot stand for two steps."""
    if id(step) not in known:
        inputs = [str(each) if isinstance(each, Path) else _meaning(each, known) for each in step.inputs]
        known[id(step)] = hashlib.sha256(
            json.dumps([step.product, pipeline.signature(step), inputs]).encode()
        ).hexdigest()
    return known[id(step)]


def _scanner(env: Base, step: Step) -> SCons.Scanner.ScannerBase:
    """Make a scanner that finds what the first input names (the wheels of a lock) once that has been built.

    SCons scans again when an input was made; ``expand`` refuses one that is left from an earlier run and outdated.
    """

    def scan(node: File, _env: Base, _path: object) -> list[File]:
        try:
            return [] if actions.is_value(node) or not node.exists() else _extra(env, step, Path(node.get_abspath()))
        except PypackError:
            return []  # the step itself tells what is wrong with the lock, when it is a new one

    return SCons.Scanner.ScannerBase(scan, name=f"pypack-{step.action}", recursive=False)


def _extra(env: Base, step: Step, first: Path) -> list[File]:
    assert step.expand is not None  # only such steps have a scanner
    return [_node(env, each) for each in step.expand(first)]
