"""Sessions that people type; ``nox -l`` lists them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True

HERE = Path(__file__).parent
EXAMPLES = ("hello", "greet", "fetch", "calc")
RUN = {"hello": ["Ada"], "greet": ["--name", "Ada"], "fetch": ["--help"], "calc": []}
OLDEST, NEWEST = 11, 15  # minor versions of CPython 3 that pypack is to run on: requires-python, and what uv knows
BUILD = {"make": "make", "perl": "perl", "tclsh": "tcl"}  # what CPython from source takes: command, Debian's package
SYSTEM = {  # what the tests take besides: command or file, Debian's package
    **BUILD, "gcc": "gcc", "unzip": "unzip", "zstd": "zstd", "strace": "strace", "file": "file",
    "llvm-objdump": "llvm", "qemu-aarch64-static": "qemu-user-static", "proot": "proot", "wine": "wine",
    "cargo": "cargo", "git": "git",
    "/usr/lib/wine/wine64": "wine64", "osslsigncode": "osslsigncode", "mkfs.vfat": "dosfstools",
    "/usr/aarch64-linux-gnu/lib/libc.so.6": "libc6-arm64-cross",
    "/usr/aarch64-linux-gnu/lib/libstdc++.so.6": "libstdc++6-arm64-cross",
}  # fmt: skip


@nox.session(python=False)
def bundle(session: nox.Session) -> None:
    """Build the examples for this machine, or for the targets named behind --, and run what can be run (qemu, wine)."""
    from_source = any(word in target for target in session.posargs for word in ("musl", "aarch64", "all"))
    if from_source and sys.platform == "linux":
        _system_packages(session, BUILD)
    python = _venv(session)
    for target in ",".join(session.posargs or ["host"]).split(","):
        for name in EXAMPLES:
            session.run(python, "-m", "pypack", "build", f"examples/{name}", "--target", target)
            session.run(python, "tests/run_bundle.py", target, name, *RUN[name])


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Run the unit tests and the real builds. What is named behind -- goes to pytest instead of all of it."""
    _system_packages(session, SYSTEM)
    python = _venv(session, "test")
    rooms = ("unit", "launcher", "cases", "faults", "targets", "packages")
    side_by_side = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile")
    chosen = session.posargs or [*side_by_side, *(f"tests/{room}" for room in rooms)]
    session.run(python, "-m", "pytest", "-q", "--durations=15", *chosen)


@nox.session(python=False)
def lowest(session: nox.Session) -> None:
    """Run the unit tests and build hello with every dependency at its lower bound, on the oldest CPython."""
    python = _interpreter(session, OLDEST)
    if not python:
        session.error(f"there is no CPython 3.{OLDEST}: not on PATH, not of pyenv, and uv can fetch none")
    _check(session, "lowest", python, "--resolution", "lowest-direct")


@nox.session(python=False)
def hosts(session: nox.Session) -> None:
    """Run the unit tests and build hello on each CPython that can be had: of PATH, pyenv's, or uv's."""
    minors = [int(word.removeprefix("3.")) for word in session.posargs] or range(OLDEST, NEWEST + 1)
    found = {minor: _interpreter(session, minor) for minor in minors}
    for minor, python in found.items():
        if python:
            _check(session, f"hosts/3.{minor}", python)
    tried = " ".join(f"3.{minor}" for minor, python in found.items() if python)
    session.log(f"CPython that was tried: {tried or 'none'}")
    if missing := " ".join(f"3.{minor}" for minor, python in found.items() if not python):
        told = f"NOT TRIED, since there is none here and uv can fetch none: CPython {missing}"
        session.warn(told) if tried and not session.posargs else session.error(told)


@nox.session(python=False)
def packages(session: nox.Session) -> None:
    """Let real packages do real work on every target, or those named behind --, and print what came of it."""
    _system_packages(session, SYSTEM)
    session.run(_venv(session, "test"), "-m", "tests.packages", *session.posargs)


@nox.session(python=False)
def projects(session: nox.Session) -> None:
    """Build real applications (all, or those named behind --), compare their work with a virtual environment's."""
    _system_packages(session, {"git": "git", "prlimit": "util-linux"})
    session.run(_venv(session, "test"), "-m", "tests.applications", *session.posargs)


@nox.session(python=False)
def fuzz(session: nox.Session) -> None:
    """Fuzz the launcher's readers, 60 s each (-- --seconds 600), with libFuzzer; a finding is a failure."""
    _system_packages(session, {"clang": "clang", "llvm-profdata": "llvm"})
    version = str(session.run("clang", "-dumpversion", external=True, silent=True)).strip()
    library = f"-print-file-name=libclang_rt.fuzzer-{platform.machine()}.a"
    place = str(session.run("clang", library, external=True, silent=True)).strip()
    _system_packages(session, {place: f"libclang-rt-{version.partition('.')[0]}-dev"})
    session.run(_venv(session, "test"), "-m", "tests.fuzz", *session.posargs)


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Measure bundles beside plain Python, and beside PyInstaller and Nuitka once -- --peers has built them."""
    _system_packages(session, {"strace": "strace", "zstd": "zstd"})
    session.run(_venv(session, "test"), "-m", "tests.bench", *session.posargs)


@nox.session(python=False)
def faults(session: nox.Session) -> None:
    """Start bundles on full, slow and foreign disks, kill them 200 times (or as often as the number behind -- says)."""
    _system_packages(session, SYSTEM)
    python = _venv(session, "test")
    os.environ["PYPACK_FAULTS"] = session.posargs[0] if session.posargs else "200"
    session.run(python, "-m", "pytest", "-q", "--durations=15", "tests/faults", "tests/cases/test_repair.py")


@nox.session(python=False)
def fixtures(session: nox.Session) -> None:
    """Make, in the folder named behind --, runtimes that stand in for macOS's and arm64 Windows', and their pins."""
    if len(session.posargs) != 1:
        session.error("name a folder: nox -s fixtures -- DIR")
    session.run(_venv(session, "test"), "-m", "tests.support.targets", "--out", session.posargs[0])


@nox.session(python=False)
def reproduce(session: nox.Session) -> None:
    """Build everything (CPython from source too) twice from empty caches in two folders, and compare the bytes."""
    _system_packages(session, BUILD)
    session.run(_venv(session), "tests/reproduce.py", *session.posargs)


@nox.session(python=False)
def recordings(session: nox.Session) -> None:
    """Record what the command prints as the pictures in docs/recordings/."""
    session.run(_venv(session, "test"), "-m", "tests.recordings")


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Check style (ruff), types (mypy), generated files of docs/ and the C sources (every warning is an error)."""
    python = _venv(session, "test", "lint")
    session.run(python, "-m", "ruff", "check", ".")
    session.run(python, "-m", "ruff", "format", "--check", ".")
    session.run(python, "-m", "mypy")
    session.run(python, "-m", "pypack.project.settings_docs", "--check", "docs")
    session.run(python, "tests/lint_c.py")


@nox.session(python=False, tags=["update"])
def update_pins(session: nox.Session) -> None:
    """Refresh the pins of python-build-standalone from the newest pbs-installer."""
    python = _venv(session, "update")
    session.run(python, "-m", "pypack.download.pins_update")


@nox.session(python=False, tags=["update"])
def update_docs(session: nox.Session) -> None:
    """Renew what is made from the settings: the table in docs/settings.md, the schema for editors."""
    session.run(_venv(session), "-m", "pypack.project.settings_docs", "docs")


def _venv(session: nox.Session, *groups: str) -> str:
    """Make (or bring up to date) one virtual environment for all sessions and return its interpreter."""
    folder = HERE / ".nox" / "pypack"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        session.run(sys.executable, "-m", "venv", str(folder), external=True)
        session.run(str(python), "-m", "pip", "install", "-q", "uv>=0.13.9", external=True)
    words = [word for group in groups for word in ("--group", group)]
    uv = str(python.with_name("uv"))
    install = ("pip", "install", "-q", "--compile-bytecode")
    session.run(uv, *install, "--python", str(python), "-e", ".", *words, external=True)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of very many starts would compile pypack anew
    os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return str(python)


def _check(session: nox.Session, name: str, python: str, *install: str) -> None:
    """Run the unit tests and a build in a new environment of ``python``; ``install`` are words for uv."""
    folder = HERE / ".nox" / name
    uv = str(Path(_venv(session)).with_name("uv"))
    session.run(uv, "venv", "-q", "--clear", "--python", python, str(folder), external=True)
    own = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    group = ("--group", "test")
    session.run(uv, "pip", "install", "-q", "--python", own, *install, "-e", ".", *group, external=True)
    env = {"PATH": f"{Path(own).parent}{os.pathsep}{os.environ['PATH']}"}
    session.run(own, "-m", "pytest", "-q", "-n", "logical", "--maxprocesses", "4", "tests/unit", env=env, external=True)
    session.run(own, "tests/fresh_build.py", env=env, external=True)


def _interpreter(session: nox.Session, minor: int) -> str:
    """Return a CPython 3.``minor``: of PATH, pyenv's newest, or uv's, which it fetches; "" where none can be had."""
    uv = str(Path(_venv(session)).with_name("uv"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    places = [shutil.which(f"python3.{minor}"), *map(str, pyenv.glob(f"3.{minor}.*/bin/python3"))]
    for python in filter(None, places):
        wanted = f"import sys; sys.exit((sys.implementation.name, *sys.version_info[:2]) != ('cpython', 3, {minor}))"
        if subprocess.run([python, "-c", wanted], capture_output=True, check=False).returncode == 0:
            return python
    subprocess.run([uv, "python", "install", "-q", f"3.{minor}"], check=False)
    words = [uv, "python", "find", "--managed-python", "--no-python-downloads", f"cpython@3.{minor}"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _system_packages(session: nox.Session, needs: dict[str, str]) -> None:
    """Install what is called (by the source builds, by the tests), where this may be done; else say what is missing."""
    missing = sorted({package for need, package in needs.items() if not (shutil.which(need) or Path(need).exists())})
    if not missing:
        return
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        session.run("apt-get", "update", "-q", external=True)
        session.run("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing, external=True)
    else:
        session.error(f"install these packages of the system first (Debian's names): {' '.join(missing)}")
