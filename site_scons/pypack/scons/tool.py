"""Turns steps into SCons nodes.

Each step is one node. It is up to date if its cache key, a Value node, is unchanged. Neither the bytecode of a Python
function counts, which differs between the versions of the Python that runs SCons, nor the time of a file.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import SCons.Action

from pypack.base import declare, files, folders, targets, variables
from pypack.base.declare import declared
from pypack.base.notes import Note
from pypack.bundle import trailer
from pypack.download import fetch
from pypack.errors import InputError, PypackError
from pypack.graph import bundles, reports
from pypack.plan import planner
from pypack.plan.locks import Locks
from pypack.project import entries, options, program
from pypack.project.settings import TABLE, BuildOptions
from pypack.scons import actions
from pypack.scons.command import Request
from pypack.scons.links import link_nodes
from pypack.steps import producer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from SCons.Environment import Base
    from SCons.Node.FS import File

    from pypack.steps.step import Step

_DOCS = "docs/settings.md"

_OWN = {"PYPACK_BUILD_PATH", "PYPACK_DISPLAY", "PYPACK_PRODUCERS", "PYPACK_SAY"}
"""Construction variables that are not for users."""
_DEFAULTS = {"PYPACK_BUILD": folders.PRODUCTS, "PYPACK_DIST": "dist", "PYPACK_OFFLINE": False, "PYPACK_VERBOSE": 0,
             "PYPACK_UPGRADE": False}  # fmt: skip


def install(env: Base) -> None:
    """Give ``env`` the methods ``PyBundle``, ``PyRuntime`` and ``PyStep``; variables that are set already stay."""
    env.SetDefault(**_DEFAULTS)
    actions.install(env)
    env.AddMethod(py_bundle, "PyBundle")
    env.AddMethod(py_runtime, "PyRuntime")
    env.AddMethod(py_step, "PyStep")


def build(env: Base, request: Request) -> list[File]:
    """Return the nodes of all files that ``request`` asks for."""
    if request.display:
        env.Replace(PYPACK_DISPLAY=request.display)
        request.display.targets([target.name for target in request.targets])
    try:
        nodes = _bundle_nodes(env, request)
    except (PypackError, OSError) as error:
        _end(error)
    env["PYPACK_DISPLAY"].plan(actions.producer(_clone_environment(env)).pending)
    return nodes


def py_bundle(
    env: Base,
    name: str = "",
    *,
    app: str | Path | None = None,
    entry: str = "",
    target: str = "",
    **keywords: Any,  # noqa: ANN401 - settings of several kinds
) -> list[File]:
    """``env.PyBundle``: one bundle for each target, as a list of nodes below ``dist/``.

    ``app`` is the program's folder or script, ``entry`` where it begins, ``target`` a name, several with commas,
    ``all`` or ``host``. ``keywords`` are the other settings of :data:`pypack.project.settings.TABLE`, of the same kinds
    as in ``[tool.pypack]``, and win over it; and those of :class:`pypack.project.settings.BuildOptions` that a bundle
    may have: ``out`` names the file to write (one target only), ``report`` a file that reports what is in the bundles,
    ``sizes`` prints a summary; their nodes follow the others. Paths count from the SConscript's folder, ``#``
    is the top; those of ``out`` and ``report`` from the top. ``pypack.Environment`` is the type of ``env``: its
    ``PyBundle`` names each keyword with its type, choices and default.
    """
    try:
        return _bundle_nodes(env, _build_request(env, name, app, entry, target, keywords))
    except (PypackError, OSError) as error:
        _end(error)


def _build_request(
    env: Base, name: str, app: str | Path | None, entry: str, target: str, keywords: dict[str, Any]
) -> Request:  # fmt: skip
    """Return the request that the keywords of ``PyBundle`` describe; paths may be text or nodes."""
    build_options = _take_build_options(keywords)
    settings = declare.with_absolute_paths(TABLE, keywords, partial(resolve_path, env))
    project = program.load(resolve_path(env, app) if app else None, entry=entry, name=name, **settings)
    selected = targets.select([target] if target else project.targets, targets.load())
    return Request(project=project, targets=tuple(selected), options=build_options)


def _take_build_options(keywords: dict[str, Any]) -> BuildOptions:
    """Remove the options of the build from the keywords of ``PyBundle``, and return them."""
    known_options = {
        name: option
        for name, option in declared(BuildOptions).items()
        if option.stands_in("bundle") and name in keywords
    }
    values = {name: keywords.pop(name) for name in known_options}
    paths = {
        name: Path(str(values[name]))
        for name, option in known_options.items()
        if option.kind == "path" and values[name]
    }
    return options.record(BuildOptions, {name: value for name, value in values.items() if value} | paths)


def _bundle_nodes(env: Base, request: Request) -> list[File]:
    project, selected = request.project, request.targets
    output, report, sizes = request.options.out, request.options.report, request.options.sizes
    if output and len(selected) > 1:
        raise InputError(
            "out names one file, but there are several targets", hint="leave it out: dist/<target>/<name>", docs=_DOCS
        )
    inner = _clone_environment(env)
    nodes_by_target = {
        target.name: _output_node(inner, output or _dist_path(inner, project.name, target)) for target in selected
    }
    if output:
        _refuse_foreign_file(Path(nodes_by_target[selected[0].name].get_abspath()))
    report_nodes = [_report_node(inner, report)] if report else []
    project = replace(project, outputs=_output_paths(inner, [*nodes_by_target.values(), *report_nodes]))
    build_path = Path(inner["PYPACK_BUILD_PATH"])
    inner["PYPACK_SAY"] = inner["PYPACK_DISPLAY"].project(
        str(project.root), build_path / "memory" / "notes.json", project.quiet
    )
    settings = actions.settings(inner)
    own = (*variables.OF_SCONS, *(name for name in inner.Dictionary() if name in _OWN))
    for note in variables.notes(inner.Dictionary(), own, kind="construction variable"):
        settings.say(note)
    producer = actions.producer(inner)
    if not inner.GetOption("clean"):
        folders.prepare_products(build_path)
        if (build_path.parent / "build" / "keys").is_dir() and build_path.name != "build":
            settings.say(Note("old-build-folder", "build/ is of an earlier pypack, and not used any more; remove it"))
    try:
        plans = planner.bundles(project, selected, build=build_path, settings=settings, cache=producer.cache)
    except PypackError:
        if not inner.GetOption("clean"):
            raise
        return [_cleaned_node(inner, node, build_path / "apps" / project.name) for node in nodes_by_target.values()]
    steps = [bundles.bundle(plan) for plan in plans]
    nodes = []
    for target, step in zip(selected, steps, strict=True):
        nodes.append(_node(inner, step, output=nodes_by_target[target.name]))
        if producer.is_made(step, Path(nodes[-1].get_abspath())):
            for note in producer.notes(step):
                settings.say(note)
            inner["PYPACK_DISPLAY"].up_to_date(nodes[-1].get_abspath())
        inner.Alias(target.name, nodes[-1])
        nodes += link_nodes(inner, project, target, nodes[-1], build_path)
    parts = [reports.one(part, step) for plan, step in zip(plans, steps, strict=True) for part in plan.parts]
    nodes += _report_nodes(inner, reports.whole(project, parts), report, sizes=sizes, name=project.name)
    if settings.offline and not inner.GetOption("clean"):
        fetch.check_offline(producer.pending)
    return nodes


def _cleaned_node(env: Base, node: File, folder: Path) -> File:
    """Return the node of a result to remove, with a folder; without a plan nobody knows what else was made for it."""
    env.Command(node, [], SCons.Action.ListAction([]))
    env.Clean(node, literal(folder))
    return node


def _report_nodes(env: Base, step: Step, report: Path | None, *, sizes: bool, name: str) -> list[File]:
    """Return the node of the report and the one that prints the sizes, if requested."""
    if not report and not sizes:
        return []
    node = _node(env, step, output=_report_node(env, report) if report else None)
    if not sizes:
        return [node]
    sizes_node = env.Alias(f"sizes of {name}", node, SCons.Action.FunctionAction(_show_sizes, {"cmdstr": None}))
    env.AlwaysBuild(sizes_node)
    return [node, *sizes_node]


def _report_node(env: Base, file: Path) -> File:
    """Return the node of the report; an existing file there must be a report or empty."""
    from pypack.graph import report

    node = _output_node(env, file)
    path = Path(node.get_abspath())
    if path.exists() and path.stat().st_size and not report.is_one(path):
        raise InputError(
            f"{path} is there already, and is no report", hint="choose another name, or remove it", docs=_DOCS
        )
    return node


def _show_sizes(target: object, source: Sequence[File], env: Base) -> None:
    from pypack.graph import report

    del target
    for bundle in report.read(Path(source[0].get_abspath())):
        for line in report.table(bundle):
            env["PYPACK_DISPLAY"].say(f"  {line}")


def py_runtime(env: Base, *, target: str = "host", python: str = "", runtime: str = "auto") -> File:
    """``env.PyRuntime``: the runtime image of a target, as a node."""
    try:
        inner = _clone_environment(env)
        entry = entries.Entry(kind="script", name="")
        project = program.Project(
            name="runtime", version="0", root=Path(), folder=Path.cwd(), entry=entry, python=python, runtime=runtime
        )
        selected = targets.find(target, targets.load())
        build = Path(inner["PYPACK_BUILD_PATH"])
        runtime_choice = planner.runtime(project, selected, locks=Locks(build=build), settings=actions.settings(inner))
        return _node(inner, runtime_choice.image)
    except PypackError as error:
        _end(error)


def _end(error: PypackError | OSError) -> NoReturn:
    """End the build with one error, without the traceback line that SCons would add."""
    if isinstance(error, OSError):
        error = files.disk_error(error, Path.cwd())
    sys.stderr.write(f"\nscons: *** {error}\n")  # in one piece: the display may take it
    sys.stderr.flush()
    raise SystemExit(error.exit_code)


def py_step(env: Base, step: Step) -> File:
    """``env.PyStep``: the node of any :class:`pypack.steps.step.Step`."""
    return _node(_clone_environment(env), step)


def _dist_path(env: Base, name: str, target: targets.Target) -> str:
    return f"{env.subst('$PYPACK_DIST')}/{target.name}/{name}{target.suffix}"


def _output_node(env: Base, file: str | Path) -> File:
    """Return the node of a file to write; a relative path counts from the top folder."""
    path = Path(env.Dir("#").get_abspath()) / file
    if path.is_dir():
        raise producer.FolderError(path)
    return env.File(literal(path))


def _refuse_foreign_file(path: Path) -> None:
    """Refuse to overwrite a file that is not a bundle: it may be the user's work."""
    try:
        if path.exists() and path.stat().st_size and not trailer.ends(path):
            from pypack.bundle import verify

            verify.read(path)  # what was signed ends in a certificate
    except InputError as error:
        raise InputError(
            f"{path} is there already, and is no bundle", hint="choose another name, or remove it", docs=_DOCS
        ) from error


def _output_paths(env: Base, nodes: Iterable[File]) -> tuple[Path, ...]:
    top = Path(env.Dir("#").get_abspath())
    folders_of_ours = (top / env.subst("$PYPACK_BUILD"), top / env.subst("$PYPACK_DIST"))
    return (*folders_of_ours, *(Path(node.get_abspath()) for node in nodes))


def literal(path: str | Path) -> str:
    """Escape a path for SCons, which would expand a ``$`` in it."""
    return str(path).replace("$", "$$")


def _clone_environment(env: Base) -> Base:
    """Return a copy of the user's environment that decides by content what is up to date."""
    inner = env.Clone()
    inner.Decider("content")
    inner["PYPACK_BUILD_PATH"] = str(inner.Dir("#" + inner.subst("$PYPACK_BUILD")).get_abspath())
    return inner


def resolve_path(env: Base, name: object) -> Path:
    """Return a path or node that a user wrote: relative to the SConscript's own folder, ``#`` for the top."""
    text = str(name)
    if Path(text).is_absolute():
        return Path(text)
    return Path(env.Entry(literal(text)).srcnode().get_abspath())


def _node(env: Base, step: Step, *, output: File | None = None) -> File:
    """Return the node of ``step``; two steps with the same product share one node and must have the same key.

    Its only source is the step's key. The nodes of its inputs are prerequisites, which SCons builds first and which are
    in no signature; there are none if the product is current or in the step cache.
    """
    producer = actions.producer(env)
    if output is not None:
        producer.paths[step.key] = Path(output.get_abspath())
    node: File = output if output is not None else env.File(literal(producer.path(step)))
    known_key = getattr(node.attributes, "pypack", None)
    if known_key == step.key:
        return node
    if known_key is not None:
        raise InputError(
            f"two different things are to be made as {node}", hint="give one of them another name", docs=_DOCS
        )
    node.attributes.pypack = step.key
    env.Command(node, env.Value(step.key), actions.StepAction(step, producer))
    env.NoCache(node)  # the step cache has it
    env.Precious(node)  # else SCons removes what is there before it asks
    is_made = producer.is_made(step, Path(node.get_abspath()))
    if not is_made:
        env.AlwaysBuild(node)  # SCons may take what another build has left there for this one's
    if env.GetOption("clean") or not (is_made or producer.is_cached(step)):
        producer.pending.append(step)
        env.Requires(node, [_node(env, step_input) for step_input in step.inputs if not isinstance(step_input, Path)])
    return node
