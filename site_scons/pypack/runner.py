"""Start a bundle on this host: directly, or a foreign one through an emulator that the machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import folders, hosts, targets
from pypack.errors import StepError
from pypack.windows.wine import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    from pypack.targets import Target

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_READ = "docs/runner.md"
_WINE_START = 300  # seconds that a first start of wine may take
_PIECE = 1 << 16
_CPU = {"aarch64": "cortex-a72"}
"""What qemu emulates: its own choice has vectors (SVE) by which OpenBLAS computed wrong numbers under qemu 7.2."""
_DEBIAN_ARCH = {"aarch64": "arm64", "x86_64": "amd64"}


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A way to start programs of a target: ``words`` come before the program, ``environment`` is added.

    ``name`` is for people. ``pipes``: the program must be given pipes instead of our own files or closed handles.
    """

    name: str
    words: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    pipes: bool = False

    def run(self, program: Path, arguments: Sequence[str] = ()) -> int:
        """Start ``program`` with our standard handles and return its exit code, as a shell would (128 + signal)."""
        pipe = subprocess.PIPE if self.pipes else None
        command = [*self.words, str(program), *arguments]
        sys.stdout.flush()
        try:
            process = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdin=pipe, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise StepError(
                f"{command[0]} cannot be started: {error.strerror}", do="look at the file", see=_READ
            ) from None
        with process:
            pumps = _pumps(process) if self.pipes else []
            code = _wait(process)
            for pump in pumps:
                pump.join()
        return code if code >= 0 else 128 - code

    def become(self, program: Path, arguments: Sequence[str]) -> NoReturn:
        """Put ``program`` in the place of this process where the system can, else end with its exit code."""
        if self.pipes or os.name == "nt":
            sys.exit(self.run(program, arguments))
        command = [*self.words, str(program), *arguments]
        sys.stdout.flush()
        try:
            os.execvpe(command[0], command, {**os.environ, **self.environment})
        except OSError as error:
            raise StepError(
                f"{command[0]} cannot be started: {error.strerror}", do="look at the file", see=_READ
            ) from None


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Why programs of a target cannot be started here, and what would help."""

    why: str
    do: str


def find(target: Target) -> Runner | Missing:
    """Return how programs of ``target`` are started on this host."""
    if targets.starts_here(target):
        return Runner(name="this machine")
    if target.system == "linux" and hosts.system() == "linux" and target.arch != hosts.arch():
        return _qemu(target)
    if target.system == "windows" and hosts.system() != "windows" and target.arch == hosts.arch():
        return _wine(target)
    if target.system == hosts.system() == "macos" and target.arch == "x86_64":
        return Runner(name="Rosetta", words=("arch", "-x86_64"))
    return Missing(
        why=f"nothing on {hosts.target_name()} starts programs of {target.name}; only their structure can be checked",
        do=f"start it on {target.name}",
    )


def checked(target: Target) -> Runner:
    """Return how programs of ``target`` are started here; that nothing does is a :class:`StepError`."""
    found = find(target)
    if isinstance(found, Missing):
        raise StepError(
            f"a bundle for {target.name} cannot be started here: {found.why}",
            do=f"{found.do}; pypack build makes the bundle all the same",
            see=_READ,
        )
    return found


def start(program: Path, runner: Runner, arguments: Sequence[str], say: Callable[[str], None]) -> NoReturn:
    """Start a bundle in the place of this process, saying by what when it is not this machine itself."""
    if runner.words or runner.environment:
        say(f"  started by {runner.name}")
    runner.become(program.absolute(), arguments)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for a program to end; an interrupt at the terminal reaches it too, and what it does then is its affair."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _pumps(process: subprocess.Popen[bytes]) -> list[threading.Thread]:
    """Carry bytes between our standard handles and a program's pipes; the threads that end with it are returned."""
    assert process.stdin and process.stdout and process.stderr
    # the number of a handle instead of sys.stdin: a thread that waits in the latter stops Python from ending
    threading.Thread(target=_pump, args=(0, process.stdin.fileno(), process.stdin.close), daemon=True).start()
    found = []
    for pipe, own in ((process.stdout, 1), (process.stderr, 2)):
        found.append(threading.Thread(target=_pump, args=(pipe.fileno(), own, pipe.close), daemon=True))
        found[-1].start()
    return found


def _pump(source: int, sink: int, close: Callable[[], None]) -> None:
    """Carry on until one side has no more to give or to take; then the pipe is closed, so that the program sees it."""
    try:
        while piece := os.read(source, _PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(sink, view) :]
    except OSError:
        pass
    finally:
        close()


def _qemu(target: Target) -> Runner | Missing:
    """Emulate one program and its children: by the kernel's own table of interpreters, else through proot.

    qemu alone does not pass on to programs that an emulated one starts, and the launcher starts Python.
    """
    emulator = shutil.which(f"qemu-{target.arch}-static") or shutil.which(f"qemu-{target.arch}")
    if emulator is None:
        return Missing(
            why=f"qemu-{target.arch} is not installed", do="install it (Debian: apt-get install qemu-user-static proot)"
        )
    libraries = Path(f"/usr/{target.arch}-linux-gnu")
    if target.libc == "gnu" and not libraries.is_dir():
        arch = _DEBIAN_ARCH.get(target.arch, target.arch)
        return Missing(
            why=f"there is no glibc for {target.arch} in {libraries}",
            do=f"install it (Debian: apt-get install libc6-{arch}-cross libstdc++6-{arch}-cross)",
        )
    cpu = os.environ.get("QEMU_CPU") or _CPU.get(target.arch)
    environment = {"QEMU_CPU": cpu} if cpu else {}
    if _registered(target.arch):
        environment |= {"QEMU_LD_PREFIX": str(libraries)} if target.libc == "gnu" else {}
        return Runner(name=f"qemu-{target.arch} (binfmt)", environment=environment)
    proot = shutil.which("proot")
    if proot is None:
        return Missing(
            why=f"qemu-{target.arch} is neither registered with the kernel (binfmt_misc) nor is there proot",
            do="install one of them (Debian: apt-get install proot)",
        )
    prefix = f" -L {libraries}" if target.libc == "gnu" else ""
    words = (proot, "-q", f"{emulator}{prefix}")
    return Runner(name=f"qemu-{target.arch} (proot)", words=words, environment=environment)


def _registered(arch: str) -> bool:
    try:
        return (_BINFMT / f"qemu-{arch}").read_text(encoding="utf-8").startswith("enabled")
    except OSError:
        return False


def _wine(target: Target) -> Runner | Missing:
    wine = _tool("wine64") or _tool("wine")
    if wine is None:
        return Missing(why="wine is not installed", do="install it (Debian: apt-get install wine wine64)")
    prefix = os.environ.get("WINEPREFIX") or str(folders.wine())
    environment = {"WINEPREFIX": prefix, "WINEDEBUG": os.environ.get("WINEDEBUG", "-all")}
    own = Path(prefix) == folders.wine()
    if own or not (Path(prefix) / "system.reg").exists():
        _prepare_wine(wine, Path(prefix), environment)
    if own:  # a machine of the user's own is left as it is
        complete(Path(prefix), target.stub_zig)
    # Python under wine dies in init_sys_streams where a standard handle is a plain file or closed
    return Runner(name="wine", words=(wine,), environment=environment, pipes=True)


def _tool(name: str) -> str | None:
    """Find one of wine's programs; Debian's script "wine" tells on each start that the 32-bit one is missing."""
    return shutil.which(name) or shutil.which(name, path="/usr/lib/wine")


def _prepare_wine(wine: str, prefix: Path, environment: Mapping[str, str]) -> None:
    """Make the folder that stands for a Windows machine; it takes some seconds, once.

    Its files appear before it is finished, so that another process waits for the lock before it believes them.
    """
    from filelock import FileLock

    quiet = {"DISPLAY": "", "WINEDLLOVERRIDES": "mscoree,mshtml="}  # no window asks for downloads
    server = _tool("wineserver") or _tool("wineserver64")
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
        told = (getattr(error, "stdout", None) or b"").decode("utf-8", "replace").strip()
        raise StepError(
            f"wine cannot make {prefix}: {error}\n{told}", do="try it by hand: wineboot -i", see=_READ
        ) from None
