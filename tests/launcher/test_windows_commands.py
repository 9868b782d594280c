"""Windows: commands of packages beside the interpreter, damage that only Python meets, and a cache that ages."""

from __future__ import annotations

import os
import time

import pytest

from tests.support.bundles import File, bundle, write
from tests.support.windows import app_layer, launcher, program, recipe, text, windows, windows_path

__all__ = ["windows"]  # a fixture

COMMANDS = """
import os, subprocess, sys
folder = os.path.dirname(sys.executable)
done = subprocess.run([folder + "\\\\tool.exe", "a b", ""], capture_output=True, text=True)
print(done.returncode, done.stdout.strip(), done.stderr)
sys.path[:0] = [sys.path[0]]
import helper
helper.works()
"""
HELPER = b"""
import os, sys
def works(): pass
def main():
    print(os.path.basename(sys.argv[0]), sys.argv[1:], os.path.basename(sys.executable))
    return 3
"""


@pytest.fixture(scope="module")
def commands(windows, tmp_path_factory):
    layer = app_layer(COMMANDS, "commands", File(path="app/helper.py", data=HELPER))
    made = recipe(COMMANDS, name="commands", app=layer)
    made.extra = (*made.extra, "script=tool=helper:main")
    return write(tmp_path_factory.mktemp("commands") / "commands.exe", bundle(launcher(), made))


def test_commands_are_programs_beside_the_interpreter(windows, commands, tmp_path):
    here = windows.with_cache(tmp_path / "cache")
    for _ in ("cold", "warm"):
        done = here.start(commands)
        assert text(done.stdout) == "3 tool ['a b', ''] commands.exe \n", done.stderr
    assert sorted(each.name for each in here.cache.glob("apps/*/Scripts/*")) == [
        "commands.exe", "python.exe", "python3.exe", "tool.exe"
    ]  # fmt: skip


SCRIPTS = """
import os, sys, sysconfig
print(os.path.normcase(sysconfig.get_path("scripts")) == os.path.normcase(os.path.dirname(sys.executable)))
"""


def test_what_pip_installs_stands_there_too(windows, tmp_path):
    """A virtual environment has its programs in Scripts: where others look for them, and pip puts them."""
    made = program(tmp_path / "scripts.exe", SCRIPTS, name="scripts")
    assert text(windows.with_cache(tmp_path / "cache").start(made).stdout) == "True\n"


def test_a_damaged_interpreter_is_mended_in_its_place(windows, commands, tmp_path):
    here = windows.with_cache(tmp_path / "cache")
    assert here.start(commands).returncode == 0
    (python,) = here.cache.glob("apps/*/Scripts/python.exe")
    (settings,) = here.cache.glob("apps/*/pyvenv.cfg")
    whole, installed = python.read_bytes(), python.parent.parent / "Lib/site-packages/other.py"
    installed.parent.mkdir(parents=True, exist_ok=True)
    installed.write_text("")
    python.unlink()  # it is one file with the other names
    python.write_bytes(whole[:-1] + b"?")
    done = here.start(commands, PYPACK_SELF="check")
    assert done.returncode == 111
    assert "Scripts/python.exe: missing, or not what the bundle holds" in text(done.stderr)
    number = settings.stat().st_ino
    assert "mended: Scripts/python.exe\n" in text(here.start(commands, PYPACK_SELF="verify").stdout)
    assert python.read_bytes() == whole
    assert installed.exists()
    assert settings.stat().st_ino == number
    assert here.start(commands, PYPACK_SELF="check").returncode == 0


def test_damage_is_told_with_its_remedy(windows, commands, tmp_path):
    here = windows.with_cache(tmp_path / "cache")
    assert here.start(commands).returncode == 0
    (file,) = here.cache.glob("layers/*/app/helper.py")
    file.unlink()
    done = here.start(commands)
    assert done.returncode == 111, done.stderr
    assert "app\\helper.py is missing" in text(done.stderr)
    assert "PYPACK_SELF=verify" in text(done.stderr)
    assert here.start(commands, PYPACK_SELF="verify").returncode == 0
    assert here.start(commands).returncode == 0


AS_USER = """
import os, subprocess, sys
env = {**os.environ, "LOCALAPPDATA": sys.argv[1], "PYPACK_CACHE_DIR": ""}
sys.exit(subprocess.run(sys.argv[2:], env=env).returncode)
"""


def test_what_was_not_used_for_long_goes(windows, commands, tmp_path):
    """In the user's own cache; a folder that is named may be one that others use."""
    local = tmp_path / "local"
    local.mkdir()
    other = program(tmp_path / "other.exe", "print('other')", name="other")
    assert windows.python(AS_USER, windows_path(local), windows_path(commands)).returncode == 0
    (settings,) = local.glob("pypack/apps/*/pyvenv.cfg")
    os.utime(settings, (time.time() - 61 * 86_400,) * 2)
    assert text(windows.python(AS_USER, windows_path(local), windows_path(other)).stdout) == "other\n"
    programs = {each.name for each in local.glob("pypack/apps/*/Scripts/*.exe")}
    assert programs == {"other.exe", "python.exe", "python3.exe"}
    assert len(list(local.glob("pypack/layers/*"))) == 2, "the runtime is shared"
