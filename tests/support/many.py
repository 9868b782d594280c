"""Build a bundle with very many files by its real steps and print the peak of this process' memory in bytes.

Nothing is compiled, so that it takes seconds. Arguments: a folder to work in, the number of files, a profile.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pypack.base import targets
from pypack.bundle import facts, layer, verify, writer
from pypack.deps import contents, merge_wheels, wheels
from pypack.formats.image import ImageBuilder
from pypack.steps.step import Context, Settings
from tests.support.wheels import wheel

TARGET = "linux-musl-x86_64"
PARAMS = {
    "name": "many", "version": "1", "target": TARGET, "container": "elf", "compiler": "", "mode": "onefile",
    "startup": "normal",
    "launch": "exec", "python": "bin/python3", "site": "lib/python3.13/site-packages", "options": [],
    "stdlib": "lib/python3.13", "environment": "isolated", "package": False, "optimize": 0,
    "entry": {"kind": "script", "name": "many.py", "function": ""}, "sources": True, "pins": [], "tools": {},
    "runtime": {"provider": "test", "version": "3.13.5", "static": True},
    "self_commands": True, "interpreter": True, "scripts_on_path": False,
}  # fmt: skip


def run(step, product, inputs=(), **params):
    """Run a step with two threads for packing, as many machines would."""
    settings, unhashed = Settings(jobs=2, say=lambda _: None), {"target": targets.load()[TARGET]}
    step(Context(product=product, inputs=tuple(inputs), params=params, unhashed=unhashed, settings=settings))
    return product


def deps(folder: Path, count: int, profile: str) -> tuple[Path, Path]:
    """Return the layer of one package with ``count`` files, and its facts."""
    files = {f"many/p{n // 200}/m{n}.py": f"def f{n}(a):\n    return a + {n}\n" * 3 for n in range(count)}
    path = wheel(folder, "many", files)
    del files
    system = {"container": "elf", "arch": "x86_64", "suffixes": [".so"], "exclude": [], "names": []}
    image = run(wheels.run_wheel, folder / "many.tar", [path])
    told = run(contents.run_contents, folder / "many.json", [image], **system)
    part = run(layer.run_layer, folder / "many.part", [image], profile=profile, part=True)
    found = run(merge_wheels.run_facts, folder / "deps.facts", [folder / "runtime.facts", told], **system)
    return run(merge_wheels.run_layer, folder / "deps.layer", [found, part], profile=profile), found


def bundle(folder: Path, count: int, profile: str) -> Path:
    """Return a whole bundle around a runtime that is none."""
    (folder / "stub").write_bytes(b"\x7fELF" + bytes(100))
    for name, members in {
        "runtime": ["bin/python3"],
        "app": ["__main__.py", "boot/encodings.py", "run.py", "child.py"],
    }.items():
        with ImageBuilder(name) as builder:
            for member in members:
                builder.add(member, b"x")
            builder.write(folder / f"{name}.tar")
    run(layer.run_layer, folder / "runtime.layer", [folder / "runtime.tar"], profile="dev")
    run(facts.run_facts, folder / "runtime.facts", [folder / "runtime.tar"], sentinels=["bin/python3"])
    inputs = [folder / name for name in ("stub", "app.tar", "runtime.layer", "runtime.facts")]
    return run(writer.run_bundle, folder / "many", [*inputs, *deps(folder, count, profile)], **PARAMS)


def peak() -> int:
    """Return the most memory that this program held so far, in bytes (Linux).

    getrusage's ru_maxrss outlives exec: it would be that of the test session that started this.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    assert found, "this kernel does not tell the peak of a process' memory"
    return int(found[1]) * 1024


if __name__ == "__main__":
    made = bundle(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    assert verify.read(made).manifest["distributions"] == ["many-1.0"]
    print(peak())
