"""Starts bundles on this host: directly, or foreign ones by an installed emulator."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import folders, hosts, targets
from pypack.cli.wine import complete
from pypack.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    from pypack.base.targets import Target

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_DOCS = "docs/runner.md"
_WINE_START = 300  # seconds that a first start of wine may take
_PIECE = 1 << 16
_CPU = {"aarch64": "cortex-a72"}
"""What qemu emulates: its own choice has vectors (SVE) by which OpenBLAS computed wrong numbers under qemu 7.2."""
_DEBIAN_ARCH = {"aarch64": "arm64", "x86_64": "amd64"}


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A way to start programs of a target: ``command_prefix`` precedes the program, ``environment`` is added.

    ``name`` is for people. ``pipes``: the program must be given pipes instead of our own files or closed handles.
    """

    name: str
    command_prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    pipes: bool = False

    def run(self, program: Path, arguments: Sequence[str] = ()) -> int:
        """Start ``program`` with our standard handles and return its exit code, as a shell would (128 + signal)."""
        pipe = subprocess.PIPE if self.pipes else None
        command = [*self.command_prefix, str(program), *arguments]
        sys.stdout.flush()
        try:
            process = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdin=pipe, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise StepError(
                f"{command[0]} cannot be started: {error.strerror}", hint="look at the file", docs=_DOCS
            ) from None
        with process:
            pumps = _start_pumps(process) if self.pipes else []
            code = _wait(process)
            for pump in pumps:
                pump.join()
        return code if code >= 0 else 128 - code

    def become(self, program: Path, arguments: Sequence[str]) -> NoReturn:
        """Replace this process with ``program`` where the system can, else run it and exit with its exit code."""
        if self.pipes or os.name == "nt":
            sys.exit(self.run(program, arguments))
        command = [*self.command_prefix, str(program), *arguments]
        sys.stdout.flush()
        try:
            os.execvpe(command[0], command, {**os.environ, **self.environment})
        except OSError as error:
            raise StepError(
                f"{command[0]} cannot be started: {error.strerror}", hint="look at the file", docs=_DOCS
            ) from None


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Why programs of a target cannot be started here, and a hint."""

    why: str
    hint: str


def find(target: Target, *, prepare: bool = True) -> Runner | Missing:
    """Return how to start programs of ``target`` on this host, or why that is impossible.

    ``prepare``: make what that takes, such as a Windows machine for wine; without, nothing is written.
    """
    if targets.starts_here(target):
        return Runner(name="this machine")
    if target.system == "linux" and hosts.system() == "linux" and target.arch != hosts.arch():
        return _qemu_runner(target)
    if target.system == "windows" and hosts.system() != "windows" and target.arch == hosts.arch():
        return _wine_runner(target, prepare=prepare)
    if target.system == hosts.system() == "macos" and target.arch == "x86_64":
        return Runner(name="Rosetta", command_prefix=("arch", "-x86_64"))
    return Missing(
        why=f"nothing on {hosts.target_name()} starts programs of {target.name}; only their structure can be checked",
        hint=f"start it on {target.name}",
    )


def require_runner(target: Target) -> Runner:
    """Return how to start programs of ``target`` here. Raises :class:`StepError` if that is impossible."""
    runner = find(target)
    if isinstance(runner, Missing):
        raise StepError(
            f"a bundle for {target.name} cannot be started here: {runner.why}",
            hint=f"{runner.hint}; pypack build makes the bundle all the same",
            docs=_DOCS,
        )
    return runner


def start(program: Path, runner: Runner, arguments: Sequence[str], say: Callable[[str], None]) -> NoReturn:
    """Replace this process with a bundle; print the name of an emulator."""
    if runner.command_prefix or runner.environment:
        say(f"  started by {runner.name}")
    runner.become(program.absolute(), arguments)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for a program to end; an interrupt at the terminal reaches it too, and it decides what to do."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _start_pumps(process: subprocess.Popen[bytes]) -> list[threading.Thread]:
    """Copy bytes between our standard handles and a program's pipes; return the threads that end with it."""
    assert process.stdin and process.stdout and process.stderr
    # file descriptor 0 instead of sys.stdin: a thread that waits in the latter keeps Python from exiting
    threading.Thread(target=_copy_stream, args=(0, process.stdin.fileno(), process.stdin.close), daemon=True).start()
    threads = []
    for pipe, handle in ((process.stdout, 1), (process.stderr, 2)):
        threads.append(threading.Thread(target=_copy_stream, args=(pipe.fileno(), handle, pipe.close), daemon=True))
        threads[-1].start()
    return threads


def _copy_stream(source: int, sink: int, close: Callable[[], None]) -> None:
    """Copy until one side is closed; then close the pipe, so that the program sees the end."""
    try:
        while piece := os.read(source, _PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(sink, view) :]
    except OSError:
        pass
    finally:
        close()


def _qemu_runner(target: Target) -> Runner | Missing:
    """Return how to emulate a program and its children: by the kernel's binfmt_misc, else by proot.

    qemu alone does not emulate the programs that an emulated one starts, and the launcher starts Python.
    """
    emulator = shutil.which(f"qemu-{target.arch}-static") or shutil.which(f"qemu-{target.arch}")
    if emulator is None:
        return Missing(
            why=f"qemu-{target.arch} is not installed",
            hint="install it (Debian: apt-get install qemu-user-static proot)",
        )
    libraries = Path(f"/usr/{target.arch}-linux-gnu")
    if target.libc == "gnu" and not libraries.is_dir():
        arch = _DEBIAN_ARCH.get(target.arch, target.arch)
        return Missing(
            why=f"there is no glibc for {target.arch} in {libraries}",
            hint=f"install it (Debian: apt-get install libc6-{arch}-cross libstdc++6-{arch}-cross)",
        )
    cpu = os.environ.get("QEMU_CPU") or _CPU.get(target.arch)
    environment = {"QEMU_CPU": cpu} if cpu else {}
    if _is_registered(target.arch):
        environment |= {"QEMU_LD_PREFIX": str(libraries)} if target.libc == "gnu" else {}
        return Runner(name=f"qemu-{target.arch} (binfmt)", environment=environment)
    proot = shutil.which("proot")
    if proot is None:
        return Missing(
            why=f"qemu-{target.arch} is neither registered with the kernel (binfmt_misc) nor is there proot",
            hint="install one of them (Debian: apt-get install proot)",
        )
    prefix = f" -L {libraries}" if target.libc == "gnu" else ""
    command_prefix = (proot, "-q", f"{emulator}{prefix}")
    return Runner(name=f"qemu-{target.arch} (proot)", command_prefix=command_prefix, environment=environment)


def _is_registered(arch: str) -> bool:
    try:
        return (_BINFMT / f"qemu-{arch}").read_text(encoding="utf-8").startswith("enabled")
    except OSError:
        return False


def _wine_runner(target: Target, *, prepare: bool) -> Runner | Missing:
    wine = _wine_tool("wine64") or _wine_tool("wine")
    if wine is None:
        return Missing(why="wine is not installed", hint="install it (Debian: apt-get install wine wine64)")
    prefix = os.environ.get("WINEPREFIX") or str(folders.wine())
    environment = {"WINEPREFIX": prefix, "WINEDEBUG": os.environ.get("WINEDEBUG", "-all")}
    is_own_prefix = Path(prefix) == folders.wine()
    if prepare and (is_own_prefix or not (Path(prefix) / "system.reg").exists()):
        _prepare_wine(wine, Path(prefix), environment)
    if prepare and is_own_prefix:  # a prefix of the user's is not changed
        complete(Path(prefix), target.stub_zig)
    # Python under wine dies in init_sys_streams where a standard handle is a plain file or closed
    return Runner(name="wine", command_prefix=(wine,), environment=environment, pipes=True)


def _wine_tool(name: str) -> str | None:
    """Return the path of a program of wine; Debian's script "wine" warns at each start if wine32 is missing."""
    return shutil.which(name) or shutil.which(name, path="/usr/lib/wine")


def _prepare_wine(wine: str, prefix: Path, environment: Mapping[str, str]) -> None:
    """Create the wine prefix; it takes some seconds, once.

    Its files appear before it is complete, so other processes wait for the lock before they use it.
    """
    from filelock import FileLock

    quiet = {"DISPLAY": "", "WINEDLLOVERRIDES": "mscoree,mshtml="}  # no window asks for downloads
    server = _wine_tool("wineserver") or _wine_tool("wineserver64")
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{prefix}.lock"):
            if (prefix / "system.reg").exists():
                return
            print("  making a Windows machine for wine, once (half a minute)", file=sys.stderr, flush=True)
            for command in ([wine, "wineboot", "-i"], *([[server, "-w"]] if server else [])):
                subprocess.run(
                    command, env={**os.environ, **environment, **quiet}, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=_WINE_START,
                )  # fmt: skip
            if not (prefix / "system.reg").exists():
                raise FileNotFoundError(prefix / "system.reg")
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stdout", None) or b"").decode("utf-8", "replace").strip()
        raise StepError(
            f"wine cannot make {prefix}: {error}\n{output}", hint="try it by hand: wineboot -i", docs=_DOCS
        ) from None
