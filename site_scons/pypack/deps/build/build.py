"""Build one project to a wheel, for every target or for one, and write it into a wheel archive."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from pypack.base.notes import Note
from pypack.deps.build import backend, build_environment, copied_files, requires, toolchain, wheel_archive
from pypack.errors import StepError
from pypack.steps import zig

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.tags import Tag

    from pypack.deps.build.build_environment import BuildEnvironment
    from pypack.deps.build.requires import Requirements
    from pypack.steps.step import Context

_DOCS = "docs/dependencies.md"


def run(context: Context) -> None:
    """Step: tree, build interpreter (runtime and dev image of the target) -> wheel archive.

    The requirements of the build are resolved and fetched here. Params: ``label``, ``distribution``, ``version``,
    ``source`` (what is recorded of it), ``python``, ``static`` and ``platform`` (of the interpreter that builds); for
    native code ``target`` (see :func:`pypack.deps.build.build_environment.open_environment`), ``for`` whom. Unhashed:
    ``builder``; ``accepted``, the tags that the wheel may have.
    """
    images, params = context.inputs[2:], context.params
    if not images and copied_files.take_over(context):
        return
    native = bool(images)
    with (
        context.timed(f"building {params['label']} for {params['for']}") if native else nullcontext(),
        ExitStack() as stack,
    ):
        environment, build_requirements = _prepare(context, stack)
        (environment.root / "out").mkdir()
        name = _build_wheel(environment, native=native)
        wheel = environment.root / "out" / name
        _check(wheel, params, context.unhashed["accepted"])
        _warn(context, environment, wheel, native=native)
        wheel_archive.pack(
            wheel,
            context.product,
            {wheel_archive.BUILD_RECORD: _record(params, build_requirements.versions, native=native)},
        )
    if not native:
        copied_files.remember(context)


def _prepare(context: Context, stack: ExitStack) -> tuple[BuildEnvironment, Requirements]:
    """Return the environment that makes the wheel, which ``stack`` closes, and what is installed in it."""
    tree, interpreter, *images = context.inputs

    def open_environment(requirements: Requirements, target: dict[str, Any] | None = None) -> BuildEnvironment:
        return stack.enter_context(
            build_environment.open_environment(
                context, context.params["label"], tree=tree, interpreter=interpreter,
                layout=requires.backend_layout(context), requirements=requirements.wheels, target=target,
            )
        )  # fmt: skip

    names = requires.read_requirements(context, tree)
    requirements = requires.resolve_requirements(context, names)
    environment = open_environment(requirements)
    dynamic = environment.call("get_requires_for_build_wheel", None) or ()
    added = set(dynamic) - set(names)
    if added:
        requirements = requires.resolve_requirements(context, [*names, *dynamic])
    if added or images:
        stack.close()
        target = {**context.params["target"], "runtime": images[0], "dev": images[-1]} if images else None
        environment = open_environment(requirements, target)
    return environment, requirements


def _build_wheel(environment: BuildEnvironment, *, native: bool) -> str:
    name = environment.call("build_wheel", str(environment.root / "out"), None, None)
    compilers = [tool for tool in environment.tools.called() if tool in {*toolchain.C, *toolchain.CXX}]
    if compilers and not native:
        raise StepError(
            f"{environment.label} calls a compiler ({compilers[0]}), which none of its files showed the need of",
            hint=backend.OTHER,
            docs=backend.READ,
        )
    if not isinstance(name, str) or not (environment.root / "out" / name).is_file():
        raise StepError(
            f"{environment.label} cannot be built: its backend {environment.backend.name} made no wheel",
            hint=backend.OTHER,
            docs=_DOCS,
        )
    return name


def _check(wheel: Path, params: Any, accepted: set[Tag]) -> None:  # noqa: ANN401 - the step's params
    """Refuse a wheel of another distribution or version, or one that the target cannot load."""
    try:
        name, version, _, wheel_tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise StepError(
            f"{params['label']} was built to {wheel.name}, which is no wheel's name: {error}",
            hint="tell its authors",
            docs=_DOCS,
        ) from error
    expected_name, expected_version = params["distribution"], params["version"]
    if name != canonicalize_name(expected_name) or (expected_version and Version(expected_version) != version):
        raise StepError(f"{params['label']} was built to {wheel.name}: another name or version than the lock has",
                        hint="make the lock again (--upgrade), or tell its authors", docs=backend.READ)  # fmt: skip
    if not accepted & wheel_tags:
        raise StepError(
            f"{params['label']} was built to {wheel.name}, which does not fit {params['for']}",
            hint=backend.OTHER,
            docs=backend.READ,
        )


def _warn(context: Context, environment: BuildEnvironment, wheel: Path, *, native: bool) -> None:
    if native and wheel.name.endswith("-any.whl"):
        text = f"{environment.label} came out without native code; -vv shows what its build says"
        context.say(Note("no-native-code", text))
    for name in wheel_archive.members_with(wheel, str(environment.root).encode()):
        text = f"{name} of {environment.label} names the folder it was built in: no two builds are the same"
        context.say(Note("build-folder", text))


def _record(params: Any, versions: dict[str, str], *, native: bool) -> bytes:  # noqa: ANN401 - the step's params
    record = {
        "source": params["source"],
        "requires": versions,
        **({"zig": zig.version()} if native else {}),
    }
    return wheel_archive.build_record(record)
