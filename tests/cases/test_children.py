"""Programs that start Python, themselves, or commands of their packages: all works as from an installed program."""

from __future__ import annotations

import json
import os
import time

from tests.cases.conftest import GNU, run

ENCODED = "xn--4ca.de"


def told(probe, start, word: str, **more):
    done = start(probe, word, **more)
    assert done.code == 0, done.text
    return json.loads(done.out)


def test_pools_by_every_start_method(probe, start):
    found, code = told(probe, start, "pools")
    assert set(found) >= {"fork", "spawn", "forkserver", "futures spawn", "futures fork"}
    for name, rows in found.items():
        numbers = [16] if name.startswith("futures") else [1, 4, 9]
        assert rows == [[number, ENCODED, "probe"] for number in numbers], name
    assert code == 7


def test_interpreters_see_the_packages(probe, start, tmp_path):
    found = told(probe, start, "children", cwd=tmp_path)
    assert all(row[0] == 0 for row in found.values()), found
    assert found["-c"][1] == "helper's word ['a b'] True"
    assert found["-m own"][1] == "run as __main__ ['x']"
    assert found["file"][1] == "helper's word ['y'] True"
    assert found["isolated"][1] == "helper's word [] True"
    assert found["-"][1] == "helper's word [] True"
    assert found["-m"][1]


def test_commands_stand_beside_the_interpreter(probe, start):
    code, out, err, found = told(probe, start, "commands")
    assert (code, err) == (0, "")
    assert out
    assert not found, "on PATH by a setting only"


def test_commands_from_an_odd_and_very_long_folder(probe, start, tmp_path):
    """The kernel cuts the first line of a script at 256 bytes, and at blanks."""
    odd = tmp_path / "a 'b\" $c\\d" / ("long" * 60) / ("way" * 60)
    odd.parent.mkdir(parents=True)
    code, out, err, _ = told(probe, start, "commands", env={"PYPACK_CACHE_DIR": str(odd)})
    assert (code, err) == (0, "")
    assert out


def test_it_starts_itself_again(probe, start):
    done = start(probe, "again")
    assert (done.code, done.out, done.err) == (0, "interpreter 4\n", "")


def test_a_daemon_goes_on(probe, start, tmp_path):
    assert told(probe, start, "daemon", cwd=tmp_path) == "begun"
    until = time.monotonic() + 60
    while not (tmp_path / "daemon.out").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert (tmp_path / "daemon.out").read_text() == "xn--nda.de\n"


def test_asyncio(probe, start):
    assert told(probe, start, "asynchronous") == ["helper's word", 0, 6]


def test_as_an_interpreter(probe, start, tmp_path):
    env = {"PYPACK_INTERPRETER": "1"}
    (tmp_path / "own.py").write_text(
        "import helper, os, sys; print(sys.argv, helper.WORD, os.environ.get(sys.argv[1]))"
    )
    done = start(probe, "own.py", "PYPACK_INTERPRETER", env=env, cwd=tmp_path)
    assert done.out == "['own.py', 'PYPACK_INTERPRETER'] helper's word None\n"
    assert start(probe, "-m", "idna", "--version", env=env).code == 0
    assert start(probe, "-c", "raise SystemExit(4)", env=env).code == 4
    done = run([probe, "-"], env={**os.environ, **env, "PYPACK_CACHE_DIR": str(tmp_path / "c")})
    assert (done.code, done.out) == (0, "")


def test_what_can_be_switched_off(checkout, start, tmp_path):
    """A bundle that is no interpreter and does nothing but its work; commands on PATH."""
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "closed.py").write_text(
        "import os, shutil, sys\nfound = shutil.which('idna')\n"
        "assert os.path.dirname(found) == os.path.dirname(sys.executable), found\n"
        "print(sys.argv[1:], [name for name in os.environ if name in ('PYPACK_SELF', 'PYPACK_INTERPRETER')])\n"
    )
    (folder / "requirements.txt").write_text("idna\n")
    (folder / "pyproject.toml").write_text(
        "[tool.pypack]\nself_commands = false\ninterpreter = false\nscripts_on_path = true\n"
    )
    checkout.scons(f"app={folder}", "runtime=host", "profile=dev", f"target={GNU}")
    bundle = checkout.bundle("closed")
    own = {"PYPACK_SELF": "info", "PYPACK_INTERPRETER": "1"}
    for env in ({}, {"PYPACK_SELF": "clean"}, {"PYPACK_SELF": "check"}, own):
        done = start(bundle, "-c", "print(1)", env=env)
        assert (done.code, done.out) == (0, "['-c', 'print(1)'] []\n"), done.err
