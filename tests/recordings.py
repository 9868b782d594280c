"""Records what the command prints as pictures for the docs: ``nox -s recordings``.

Every scene runs the real command in a copy of ``examples/``, with a build cache of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parents[1]
OUT = HERE / "docs" / "recordings"
COLUMNS = 100
FAILS = 1
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # the pictures load nothing from elsewhere


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture: ``commands`` are typed one after the other, ``edit`` happens to the program before."""

    name: str
    commands: tuple[str, ...]
    edit: str = ""
    code: int = 0


SCENES = (
    Scene(name="first-build", commands=("pypack build greet", "dist/linux-gnu-x86_64/greet --name Ada")),
    Scene(name="nothing-to-do", commands=("pypack build greet",)),
    Scene(name="edit", commands=("pypack build greet",), edit="# a comment\n"),
    Scene(name="failure", commands=("pypack build greet",), edit="def broken(:\n", code=FAILS),
    Scene(name="doctor", commands=("pypack doctor",)),
    Scene(name="inspect", commands=("pypack inspect --tree dist/linux-gnu-x86_64/greet",)),
)


def main() -> int:
    """Record all scenes into docs/recordings/."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(
            HERE / "examples" / "greet", folder / "greet", ignore=shutil.ignore_patterns(".*", "__pycache__")
        )
        source = folder / "greet" / "greet" / "cli.py"
        text = source.read_text(encoding="utf-8")
        for scene in SCENES:
            source.write_text(text + scene.edit, encoding="utf-8")
            record(scene, folder)
            print(f"{OUT.relative_to(HERE)}/{scene.name}.svg", flush=True)
    return 0


def record(scene: Scene, folder: Path) -> None:
    """Run the commands of a scene and write its picture; an exit code that was not expected is an error."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        for command in scene.commands:
            console.print(Text(f"$ {command}", style="bold"))
            printed, code = run(command, folder)
            if code != scene.code:
                raise SystemExit(f"{command}: exit code {code}, expected {scene.code}\n{printed}")
            console.print(Text.from_ansi(_without_places(printed, folder)), soft_wrap=False)
        svg = console.export_svg(title="pypack")
    (OUT / f"{scene.name}.svg").write_text(_FONTS.sub("", svg), encoding="utf-8")


def _without_places(printed: str, folder: Path) -> str:
    """Return what was printed as on anybody's machine."""
    for place, shown in ((str(folder), "/home/ada"), (sys.prefix, "/home/ada/.venv"), (str(HERE), "/home/ada/pypack")):
        printed = printed.replace(place, shown)
    return printed.rstrip("\n")


def run(command: str, folder: Path) -> tuple[str, int]:
    """Return what a command prints, and its exit code."""
    of_this_machine = ("PIP_", "UV_", "XDG_")  # settings that nobody else has
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(of_this_machine)},
        "CI": "1", "COLUMNS": str(COLUMNS), "PYPACK_CACHE_DIR": str(folder / "cache"), "HOME": str(folder),
        "XDG_CONFIG_DIRS": str(folder), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        command.split(), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=900,
    )  # fmt: skip
    return done.stdout, done.returncode


if __name__ == "__main__":
    sys.exit(main())
