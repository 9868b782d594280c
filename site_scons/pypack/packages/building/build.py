"""Build one project to a wheel, for every target or for one, and put it into a box."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from pypack import zig
from pypack.errors import StepError
from pypack.packages import lock
from pypack.packages.building import backend, boxes, room, toolchain

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.tags import Tag

    from pypack.packages.building.room import Room
    from pypack.pipeline import Context

RECORD = "pypack-build.json"
"""File beside a built distribution's METADATA that says what it was built from and by."""


def run(context: Context) -> None:
    """Step: lock of build requirements, tree, build interpreter (runtime and dev image of the target) -> box.

    Extra: the wheels of the build requirements. Params: ``label``, ``distribution``, ``version``, ``source`` (what is
    recorded of it), ``layout``; for native code ``target`` (see :func:`room.opened`); ``accepted``: the tags that the
    wheel may have, with ``for`` whom.
    """
    locked, tree, interpreter, *images = context.inputs
    params = context.params
    target = {**params["target"], "runtime": images[0], "dev": images[-1]} if images else None
    native = bool(images)
    with (
        context.timed(f"building {params['label']} for {params['for']}") if native else nullcontext(),
        room.opened(
            context, params["label"], tree=tree, interpreter=interpreter, layout=params["layout"].value,
            requirements=context.extra, target=target,
        ) as here,
    ):  # fmt: skip
        (here.root / "out").mkdir()
        name = _built(here, native=native)
        wheel = here.root / "out" / name
        _check(wheel, params)
        _warn(context, here, wheel, native=native)
        boxes.pack(wheel, context.product, {RECORD: _record(params, locked, native=native)})


def _built(here: Room, *, native: bool) -> str:
    name = here.call("build_wheel", str(here.root / "out"), None, None)
    compilers = [each for each in here.tools.called() if each in {*toolchain.C, *toolchain.CXX}]
    if compilers and not native:
        raise StepError(
            f"{here.label} calls a compiler ({compilers[0]}), which none of its files showed the need of",
            do=backend.OTHER,
            see=backend.READ,
        )
    if not isinstance(name, str) or not (here.root / "out" / name).is_file():
        raise StepError(
            f"{here.label} cannot be built: its backend {here.backend.name} made no wheel", do=backend.OTHER
        )
    return name


def _check(wheel: Path, params: Any) -> None:  # noqa: ANN401 - the step's params
    """Refuse a wheel of another distribution, or one that is of no use where it is to go."""
    try:
        name, version, _, offered = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise StepError(f"{params['label']} was built to {wheel.name}, which is no wheel's name: {error}") from error
    wanted, asked = params["distribution"], params["version"]
    if name != canonicalize_name(wanted) or (asked and Version(asked) != version):
        raise StepError(f"{params['label']} was built to {wheel.name}: another name or version than the lock has",
                        do="make the lock again (--upgrade), or tell its authors", see=backend.READ)  # fmt: skip
    accepted: set[Tag] = params["accepted"].value
    if not accepted & offered:
        raise StepError(
            f"{params['label']} was built to {wheel.name}, which does not fit {params['for']}",
            do=backend.OTHER,
            see=backend.READ,
        )


def _warn(context: Context, here: Room, wheel: Path, *, native: bool) -> None:
    if native and wheel.name.endswith("-any.whl"):
        context.say(f"  note: {here.label} came out without native code; verbose=1 shows what its build says")
    for name in boxes.members_with(wheel, str(here.root).encode()):
        context.say(f"  warning: {name} of {here.label} names the folder it was built in: no two builds are the same")


def _record(params: Any, locked: Path, *, native: bool) -> bytes:  # noqa: ANN401 - the step's params
    rows = lock.read(locked)["packages"]
    told = {
        "source": params["source"],
        "requires": {row["name"]: row.get("version", "") for row in rows},
        **({"zig": zig.version()} if native else {}),
    }
    return (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()
