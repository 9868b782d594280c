"""``pypack doctor`` and ``pypack completion``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from pypack.cli import doctor, main
from pypack.cli.completion import SHELLS
from pypack.download import web


@pytest.fixture(autouse=True)
def unreachable(monkeypatch):
    monkeypatch.setattr(web, "answers", lambda url, seconds: None)


def test_what_is_missing_for_some_is_a_warning(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_zig", lambda: [doctor.Check(name="zig", state="ok", text="0.16.0")])
    assert main(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert {checks[name]["state"] for name in ("python", "zig", "uv", "cache", "this folder")} == {"ok"}
    index = checks["package index"]
    assert index["state"] == "warning"
    assert "does not answer" in index["text"]
    assert index["hint"]


def test_what_no_build_goes_without_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(
        doctor, "_zig", lambda: [doctor.Check(name="zig", state="error", text="broken", hint="mend it")]
    )
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "error    zig" in printed
    assert "-> mend it" in printed


def test_little_room_and_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5))
    assert doctor._folder("cache", tmp_path / "not" / "there").state == "warning"
    monkeypatch.setattr(os, "access", lambda *_: False)
    check = doctor._folder("cache", tmp_path)
    assert (check.state, check.hint) == ("error", "set PYPACK_CACHE_DIR to a folder of your own")


def test_a_program_that_does_not_run():
    assert doctor._of_command("zig", [sys.executable, "-c", "exit(1)"]).state == "error"
    assert doctor._of_command("uv", ["/no/such/program"]).hint == "reinstall uv"
    assert doctor._of_command("uv", [sys.executable, "-c", "print('uv 1.2')"]).text.startswith("1.2, ")


@pytest.mark.parametrize("shell", SHELLS)
def test_code_for_each_shell(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "pypack" in capsys.readouterr().out


def test_a_shell_is_told_what_can_come_next(tmp_path):
    file = tmp_path / "words"
    words = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_SHELL": "bash", "COMP_LINE": "pypack build --tar", "COMP_POINT": "18"}
    env = {**os.environ, **words, "_ARGCOMPLETE_STDOUT_FILENAME": str(file)}
    subprocess.run([sys.executable, "-m", "pypack"], env=env, check=True, stderr=subprocess.DEVNULL)
    assert file.read_text().split() == ["--target"]
