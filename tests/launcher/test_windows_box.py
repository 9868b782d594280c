"""A Windows program without a console tells its errors in a message box."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from tests.launcher.test_windows_handles import CLOSED
from tests.support.windows import launcher, text, windows, windows_path  # noqa: F401 - a fixture

WAIT = "kernel.WaitForSingleObject(ctypes.c_void_p(made.process), 60000)"
BOX = """
import time
user = ctypes.WinDLL("user32")
box, end = 0, time.monotonic() + 30
while not box and time.monotonic() < end:
    time.sleep(0.1)
    box = user.FindWindowW("#32770", None)
words = ctypes.create_unicode_buffer(2000)
user.GetDlgItemTextW(box, 0xFFFF, words, 2000)
title = ctypes.create_unicode_buffer(200)
user.GetWindowTextW(box, title, 200)
user.PostMessageW(box, 0x10, 0, 0)  # somebody closes it
"""
TELL = "import json; print(json.dumps([title.value, words.value, code.value]))"


@pytest.fixture(scope="module")
def desktop(windows, tmp_path_factory):  # noqa: F811
    """A Windows of its own whose windows are drawn nowhere, so that no screen is needed."""
    prefix = tmp_path_factory.mktemp("prefix") / "wine"
    own = replace(windows, variables={**windows.variables, "WINEPREFIX": str(prefix)})
    wine = shutil.which("wine") or windows.words[0]
    for words in (
        ["wineboot", "-i"],
        ["reg", "add", r"HKCU\Software\Wine\Drivers", "/v", "Graphics", "/d", "null", "/f"],
    ):
        subprocess.run([wine, *words], env=own.environment(), check=True, capture_output=True, timeout=300)
    subprocess.run(["wineserver", "-k"], env=own.environment(), check=False, capture_output=True)
    yield own
    subprocess.run(["wineserver", "-k"], env=own.environment(), check=False, capture_output=True)


def test_a_message_box_says_what_happened_and_what_to_do(desktop, tmp_path):
    path = tmp_path / "hello.exe"
    path.write_bytes(launcher("gui"))
    code = CLOSED.replace(WAIT, BOX + WAIT).replace("print(code.value)", TELL)
    done = desktop.python(code, windows_path(path))
    title, words, exit_code = json.loads(text(done.stdout).splitlines()[-1])
    assert exit_code == 101
    assert title == "hello.exe"  # nothing in the file says its name
    assert words.partition(": ")[2].startswith("this file holds no program")
    assert "-> copy or download the file again" in words
