"""How foreign bundles are started, and what is said where they cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pypack.base import hosts, targets
from pypack.cli import runner
from pypack.errors import StepError

TABLE = targets.load()


@pytest.fixture
def linux(monkeypatch, tmp_path):
    """A Linux x86_64 host without any emulator."""
    monkeypatch.setattr(hosts, "system", lambda: "linux")
    monkeypatch.setattr(hosts, "arch", lambda: "x86_64")
    monkeypatch.setattr(hosts, "libc", lambda: "gnu")
    monkeypatch.setattr(runner, "_BINFMT", tmp_path)
    monkeypatch.setattr(runner.shutil, "which", lambda name, path=None: None)
    return tmp_path


def installed(monkeypatch, *names):
    monkeypatch.setattr(runner.shutil, "which", lambda name, path=None: f"/bin/{name}" if name in names else None)


def test_this_machine_needs_no_help(linux):
    for name in ("linux-gnu-x86_64", "linux-musl-x86_64"):
        assert runner.find(TABLE[name]) == runner.Runner(name="this machine")


@pytest.mark.parametrize("name", ["linux-musl-aarch64", "windows-x86_64"])
def test_a_missing_emulator_is_told_with_its_package(linux, name):
    found = runner.find(TABLE[name])
    assert isinstance(found, runner.Missing)
    assert "apt-get install" in found.hint


@pytest.mark.parametrize("name", ["macos-aarch64", "windows-aarch64", "macos-universal2"])
def test_what_nothing_here_starts_is_told(linux, name):
    found = runner.find(TABLE[name])
    assert isinstance(found, runner.Missing)
    assert "structure" in found.why
    with pytest.raises(StepError, match=r"cannot be started here.*structure"):
        runner.require_runner(TABLE[name])


def test_a_universal_bundle_starts_on_either_mac(linux, monkeypatch):
    monkeypatch.setattr(hosts, "system", lambda: "macos")
    monkeypatch.setattr(hosts, "libc", lambda: "")
    for arch in ("x86_64", "aarch64"):
        monkeypatch.setattr(hosts, "arch", lambda arch=arch: arch)
        assert runner.find(TABLE["macos-universal2"]) == runner.Runner(name="this machine")
    assert runner.find(TABLE["macos-x86_64"]).name == "Rosetta"


def test_qemu_by_the_kernel_or_by_proot(linux, monkeypatch):
    target = TABLE["linux-musl-aarch64"]
    installed(monkeypatch, "qemu-aarch64-static")
    found = runner.find(target)
    assert isinstance(found, runner.Missing)
    assert "proot" in found.hint
    installed(monkeypatch, "qemu-aarch64-static", "proot")
    found = runner.find(target)
    assert found.command_prefix == ("/bin/proot", "-q", "/bin/qemu-aarch64-static")
    assert found.environment == {"QEMU_CPU": "cortex-a72"}
    (linux / "qemu-aarch64").write_text("enabled\n")
    assert runner.find(target).command_prefix == ()
    monkeypatch.setenv("QEMU_CPU", "max")
    assert runner.find(target).environment == {"QEMU_CPU": "max"}


def test_a_program_gets_its_arguments_and_gives_its_code(capfdbinary):
    python = runner.Runner(name="here")
    assert python.run(Path(sys.executable), ["-c", "import sys; sys.exit(7)"]) == 7
    piped = runner.Runner(name="here", pipes=True, environment={"PYPACK_TEST": "seen"})
    code = "import os, sys; print(os.environ['PYPACK_TEST'], sys.argv[1:]); sys.stderr.write('e'); sys.exit(3)"
    assert piped.run(Path(sys.executable), ["-c", code, "a b", "ü"]) == 3
    out, err = capfdbinary.readouterr()
    assert out.split() == [b"seen", b"['a", b"b',", "'ü']".encode()]
    assert err == b"e"


def test_a_killed_program_gives_the_code_of_a_shell():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert runner.Runner(name="here").run(Path(sys.executable), ["-c", code]) == 128 + 15


SCRIPT = """
import sys
from pathlib import Path
from pypack.cli import runner
runner.Runner(name="here", pipes=True).become(Path(sys.executable), ["-c", sys.argv[1]])
"""


def test_what_is_typed_reaches_a_program_behind_pipes():
    code = "import sys; print(sys.stdin.readline().upper()); sys.exit(4)"
    words = [sys.executable, "-c", SCRIPT, code]
    done = subprocess.run(words, input="typed\n", capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (4, "TYPED", "")


def test_a_reader_that_goes_away_ends_a_program_behind_pipes():
    code = "while True: print('x' * 1000)"
    words = [sys.executable, "-c", SCRIPT, code]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as chatty:
        assert chatty.stdout
        chatty.stdout.readline()
        chatty.stdout.close()
        assert chatty.wait(timeout=60) != 0


def test_what_cannot_be_started_at_all_is_one_error(tmp_path):
    with pytest.raises(StepError, match="cannot be started"):
        runner.Runner(name="here").run(tmp_path / "missing")
