"""Paths with characters that a shell, a list, SCons or TOML would take for their own: real builds by both ways."""

from __future__ import annotations

import json
from glob import escape as glob

import pytest

from pypack.graph import report
from tests.support import wheels

from .conftest import Checkout, copy_tree

ODD = 'a, b=c\' "d" $e ${f} größe #[1]'
DEV = {"profile": "dev", "runtime": "host", "name": "hello"}


@pytest.fixture
def odd(tmp_path):
    """A checkout below a folder of an odd name, with a program, its packages and its data, of such names too."""
    place = Checkout(path=copy_tree(tmp_path / ODD / "checkout"))
    app = place.path / ODD
    app.mkdir()
    (app / "main.py").write_text(
        "import pathlib, saying\nhere = pathlib.Path(__file__).parent\n"
        "print(saying.version, sorted(each.name for each in here.iterdir() if each.is_file()))\n"
    )
    for name in (f"{ODD}.txt", f".{ODD}", f"{ODD}.out"):
        (app / name).write_text("")
    wheels.wheel(app, "saying", {"saying.py": "version = 'said'\n"})
    (place.path / f"{ODD}.txt").write_text(f"# {ODD}\n")
    (place.path / f"{ODD}.ico").write_text("")
    (place.path / f"{ODD}.toml").write_text("")
    return place


@pytest.fixture
def told(odd, start):
    """Look at what was built: the program runs, with the files that were chosen; the report tells of its package."""

    def check():
        done = start(odd.path / "out" / ODD)
        chosen = sorted([f".{ODD}", f"{ODD}.txt", "main.py"])
        assert done.out == f"said {chosen}\n", done.text
        assert len(report.read(odd.path / f"{ODD}.json")) == 1

    return check


def wheel_of(odd):
    return next((odd.path / ODD).glob("*.whl")).name


def toml(*words):
    """Spell a list as in TOML."""
    return json.dumps(words, ensure_ascii=False)


def test_the_command_takes_any_path(odd, told):
    given = {
        "--wheel": f"{ODD}/{wheel_of(odd)}", "-r": f"{ODD}.txt", "--icon": f"{ODD}.ico", "--pins": f"{ODD}.toml",
        "-o": f"out/{ODD}", "--report": f"{ODD}.json", "--include": glob(f".{ODD}"),
    }  # fmt: skip
    more = ["--exclude", glob(f"{ODD}.out"), "--exclude", "*.whl"]
    odd.pypack("build", ODD, *(f"--{k}={v}" for k, v in DEV.items()), *more, *(w for o in given.items() for w in o))
    told()


def test_scons_takes_any_path(odd, told, tmp_path):
    given = {
        "app": ODD, "wheels": toml(f"{ODD}/{wheel_of(odd)}"), "requirements": f"{ODD}.txt", "icon": f"{ODD}.ico",
        "pins": f"{ODD}.toml", "out": f"out/{ODD}", "report": f"{ODD}.json",
        "include": toml(glob(f".{ODD}")), "exclude": toml(glob(f"{ODD}.out"), "*.whl"),
        **DEV,
    }  # fmt: skip
    odd.scons(*(f"{name}={value}" for name, value in given.items()))
    told()
    assert "is up to date" in odd.scons(*(f"{name}={value}" for name, value in given.items())).out
    odd.scons("-n", *(f"{name}={value}" for name, value in given.items()), f"cache={ODD} cache")
    assert (odd.path / f"{ODD} cache").is_dir()
    assert {each.name for each in tmp_path.iterdir()} == {ODD, "bundle-cache"}  # nothing where a $ was expanded
