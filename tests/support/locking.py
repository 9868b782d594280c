"""Programs that are locked and planned without a build: runtimes are pins of a file that nobody unpacks."""

from __future__ import annotations

import hashlib
import tomllib

import pytest

from pypack.base import targets
from pypack.deps.universal import Upgrade
from pypack.errors import InputError
from pypack.plan import locking, planner
from pypack.project import program
from pypack.steps.step import Settings

FOREIGN = 'lock-version = "1.0"\ncreated-by = "somebody"\npackages = []\n'
UV_LOCK = 'version = 1\nrevision = 3\nrequires-python = ">=3.13"\n'
GNU, MUSL, WINDOWS, ARM = "linux-gnu-x86_64", "linux-musl-x86_64", "windows-x86_64", "windows-aarch64"
OLD, NEW = "cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_28_x86_64"
WIN, WIN_ARM = "cp313-cp313-win_amd64", "cp313-cp313-win_arm64"


def pins(folder, version="3.13.5", content=b"a runtime"):
    """Write pins of runtimes that nobody unpacks here."""
    (folder / "runtime.tar.gz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    row = '[[pins]]\ntarget = "{}"\nversion = "{}"\nurl = "runtime.tar.gz"\nsha256 = "{}"\n'
    names = (GNU, MUSL, WINDOWS, ARM, "macos-x86_64", "macos-aarch64")
    (folder / "pins.toml").write_text("".join(row.format(name, version, digest) for name in names))
    return digest


def write_program(tmp_path, monkeypatch):
    """Make a program: ``app("aaa", groups={"g": ["bbb"]})`` writes its pyproject.toml anew and returns the folder."""
    (tmp_path / "pins").mkdir()
    pins(tmp_path / "pins")
    monkeypatch.setenv("PYPACK_PINS", str(tmp_path / "pins" / "pins.toml"))
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text("print(1)\n")

    def make(*requirements, extra=(), group=(), more="", python=""):
        text = f'[project]\nname = "demo"\nversion = "1"\ndependencies = {list(requirements)}\n'
        text += f"requires-python = {python!r}\n" if python else ""
        text += f"[project.optional-dependencies]\nfast = {list(extra)}\n" if extra else ""
        text += f"[dependency-groups]\nplugins = {list(group)}\n" if group else ""
        (folder / "pyproject.toml").write_text(text + more)
        return folder

    return make


def lock(folder, *names, upgrade=(), everything=False, said=None, **given):
    chosen = targets.select(names or (GNU, WINDOWS), targets.load())
    settings = Settings(say=(said if said is not None else []).append)
    found = program.load(folder, renew=True, **{"runtime": "pbs", **given})
    place = locking.write(
        found, chosen, upgrade=Upgrade(everything=everything, packages=tuple(upgrade)), settings=settings
    )
    return tomllib.loads(place.read_text())


def versions(table):
    return {row["name"]: row["version"] for row in table["packages"]}


def plan(folder, *names, upgrade=False, **given):
    """Make the graph of a build, as far as the lock decides about it; return the runtime's version and origin."""
    found = program.load(folder, **{"runtime": "pbs", **given})
    chosen = targets.select(names or (GNU,), targets.load())
    settings = Settings(say=lambda _: None, upgrade=upgrade)
    planner.bundles(found, chosen, build=folder.parent / "build", settings=settings)


def refused(folder, *names, **given) -> str:
    with pytest.raises(InputError) as caught:
        plan(folder, *names, **given)
    return str(caught.value)
