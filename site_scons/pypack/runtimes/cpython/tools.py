"""Programs of the build host that the sources' own build scripts call."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALWAYS = {
    "sh": "dash",
    "sed": "sed",
    "grep": "grep",
    "cmp": "diffutils",
    "install": "coreutils",
    "tr": "coreutils",
}
_PERL = "use FindBin; use IPC::Cmd; use File::Compare; use Time::Local;"


def check(packages: Mapping[str, str]) -> None:
    """Raise one :class:`StepError` that names all missing programs, before anything is built.

    ``packages`` gives Debian's package of each program.
    """
    packages_by_tool = {**_ALWAYS, **packages}
    missing = [tool for tool in packages_by_tool if shutil.which(tool) is None]
    if "perl" in packages_by_tool and "perl" not in missing and not _perl_is_whole():
        missing.append("perl")
    if not missing:
        return
    names = sorted({packages_by_tool[tool] for tool in missing})
    raise StepError(
        f"building CPython from source needs programs that are not here: {', '.join(missing)}",
        hint=f"install them (Debian: apt-get install {' '.join(names)}), or choose another runtime",
        docs="docs/source-runtime.md",
    )


def _perl_is_whole() -> bool:
    # Debian's perl-base has the program without the modules that OpenSSL's Configure needs
    return subprocess.run(["perl", "-e", _PERL], check=False, capture_output=True).returncode == 0
