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
    """Raise one error that names all programs that are missing, before anything is built.

    ``packages`` gives Debian's package of each program.
    """
    wanted = {**_ALWAYS, **packages}
    missing = [tool for tool in wanted if shutil.which(tool) is None]
    if "perl" in wanted and "perl" not in missing and not _perl_is_whole():
        missing.append("perl")
    if not missing:
        return
    names = sorted({wanted[tool] for tool in missing})
    raise StepError(
        f"building CPython from source needs programs that are not here: {', '.join(missing)}",
        do=f"install them (Debian: apt-get install {' '.join(names)}), or choose another runtime",
        see="docs/source-runtime.md",
    )


def _perl_is_whole() -> bool:
    # Debian's perl-base has the program without the modules that OpenSSL's Configure needs
    return subprocess.run(["perl", "-e", _PERL], check=False, capture_output=True).returncode == 0
