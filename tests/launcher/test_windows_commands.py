"""Windows: commands of packages beside the interpreter, damage that only Python meets, and a cache that ages."""

from __future__ import annotations

import os
import time

import pytest

from tests.support.bundles import File, bundle, write
from tests.support.windows import launcher, program, recipe, text, windows, windows_path

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
    made = recipe(COMMANDS, name="commands")
    made.app.append(File(path="app/helper.py", data=HELPER))
    made.extra = (*made.extra, "script=tool=helper:main")
    return write(tmp_path_factory.mktemp("commands") / "commands.exe", bundle(launcher(), made))


def test_commands_are_programs_beside_the_interpreter(windows, commands, tmp_path):
    here = windows.with_cache(tmp_path / "cache")
    for _ in ("cold", "warm"):
        done = here.start(commands)
        assert text(done.stdout) == "3 tool ['a b', ''] commands.exe \n", done.stderr
    assert sorted(each.name for each in here.cache.glob("apps/*/bin/*")) == ["commands.exe", "tool.exe"]


def test_damage_is_told_with_its_remedy(windows, commands, tmp_path):
    here = windows.with_cache(tmp_path / "cache")
    assert here.start(commands).returncode == 0
    (file,) = here.cache.glob("layers/*/app/helper.py")
    file.unlink()
    done = here.start(commands)
    assert done.returncode == 111, done.stderr
    assert "app/helper.py is missing" in text(done.stderr)
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
    assert [each.name for each in local.glob("pypack/apps/*/bin/*.exe")] == ["other.exe"]
    assert len(list(local.glob("pypack/layers/*"))) == 2, "the runtime is shared"
