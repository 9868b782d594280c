"""Twenty edits of one program, one after the other: each renews what it must, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import uuid

import pytest

from tests.support.wheels import wheel

from .conftest import GNU, Checkout, copy_tree

WORDS = ("app=app", "profile=dev", "runtime=host", "verbose=yes", "-j2")
RENEWED = re.compile(
    r"^(?:[a-z-]+ +|Retrieved `)((?:\.pypack|dist)/[^'\s]+)(?:' from cache)?(?:  \(.*\))?$", re.MULTILINE
)
KINDS = {  # what a product is, by its path; the first that fits
    r"^dist/": "bundle", r"/app-[^/]*\.tar$": "app", r"/pylock\.toml$": "resolve", r"^\.pypack/fetch/": "fetch",
    r"^\.pypack/apps/.*check-[0-9a-f]+\.json$": "check",
    r"^\.pypack/apps/.*\.layer$": "layer", r"^\.pypack/apps/.*facts": "facts",
    r"^\.pypack/wheels/.*\.json$": "contents",
    r"^\.pypack/wheels/.*\.part$": "pack", r"^\.pypack/wheels/": "wheel", r"^\.pypack/runtime/": "runtime",
    r"^\.pypack/stub/": "stub",
}  # fmt: skip
PROJECT = """\
[project]
name = "tool"
version = "1.5"
dependencies = ["{one}"]
[project.optional-dependencies]
x = ["{two}"]
[tool.pypack]
entry = "tool.py"
exclude = ["wheels"]
"""
APP = {"app", "bundle", "check"}
JOINED = {"layer", "facts"}
WHEEL = {"fetch", "wheel", "pack", "contents"}


class Editor:
    """Edits a program and tells what kinds of products the next build makes, or takes from the build cache."""

    def __init__(self, folder):
        self.checkout = Checkout(path=copy_tree(folder))
        self.app = self.checkout.path / "app"

    def build(self, *words, **env):
        place = Checkout(path=self.checkout.path, env={**self.checkout.env, **env})
        renewed = RENEWED.findall(place.scons(*WORDS, *words).out)
        return {next(kind for pattern, kind in KINDS.items() if re.search(pattern, path)) for path in renewed}

    def write(self, name, text):
        (self.app / name).parent.mkdir(parents=True, exist_ok=True)
        (self.app / name).write_text(text, encoding="utf-8")

    def project(self, old, new):
        text = (self.app / "pyproject.toml").read_text(encoding="utf-8")
        assert old in text
        self.write("pyproject.toml", text.replace(old, new))


@pytest.fixture
def edit(tmp_path):
    """A program in a fresh checkout, built once. The build cache is shared: program and wheels are new to it."""
    editor = Editor(tmp_path / "checkout")
    editor.write("tool.py", f"import one\n# {uuid.uuid4()}\n")
    editor.write("data/words.txt", "words\n")
    (editor.app / "wheels").mkdir()
    editor.one, editor.two = (
        f"{name} @ {wheel(editor.app / 'wheels', name, {f'{name}.py': f'# {uuid.uuid4()}'}).as_uri()}"
        for name in ("one", "two")
    )
    editor.write("pyproject.toml", PROJECT.format(one=editor.one, two=editor.two))
    assert editor.build() == {"stub", "runtime", "resolve", *WHEEL, *JOINED, *APP}
    assert editor.build() == set()
    return editor


def test_twenty_edits(edit):
    def after(what, expected, *words, **env):
        assert edit.build(*words, **env) == expected, what
        assert edit.build(*words, **env) == set(), f"{what}; and again"

    edit.write("tool.py", f"import one\nprint('two')\n# {uuid.uuid4()}\n")
    after("1: a changed source", APP)
    os.utime(edit.app / "tool.py", (1, 1))
    after("2: only its time", set())
    edit.write("more.py", "x = 1\n")
    after("3: a source more", APP)
    edit.write("data/words.txt", "other words\n")
    after("4: a data file", APP)
    (edit.app / "more.py").rename(edit.app / "less.py")
    after("5: another name", APP)
    (edit.app / "less.py").unlink()
    after("6: a source less", APP)
    (edit.app / "tool.py").chmod(0o755)
    after("7: an executable bit", APP)
    edit.write("__pycache__/tool.cpython-311.pyc", "rubbish")
    edit.write(".hidden", "rubbish")
    after("8: what is never part of a program", set())
    edit.project("[tool.pypack]\n", "[tool.ruff]\nline-length = 100\n[tool.pypack]\n")
    after("9: settings of another tool", set())
    edit.project('exclude = ["wheels"]', 'exclude = ["wheels", "data"]')
    after("10: a folder excluded", APP)
    edit.project(f'dependencies = ["{edit.one}"]', f'dependencies = ["{edit.one}", "{edit.two}"]')
    after("11: a requirement more", {"resolve", *WHEEL, *JOINED, *APP})
    edit.project(f'"{edit.two}"]\n[project.opt', f'"{edit.two}", "two>0"]\n[project.opt')
    after("12: a requirement that the lock met already", {"resolve", *APP})
    edit.project(f', "{edit.two}", "two>0"]', "]")
    after("13: a requirement less", {"resolve", *JOINED, *APP} - {"check"})  # that of 10 is there still
    after("14: an extra", {"resolve", "bundle", "check", *JOINED}, "extras=x")
    after("15: without it again", {"resolve", "bundle", *JOINED})
    edit.project('version = "1.5"', 'version = "1.6"')
    after("16: another version", APP)
    after("17: settings of the index", {"resolve"}, UV_EXCLUDE_NEWER="2300-01-01T00:00:00Z")
    after("18: sources left out", {"resolve", "runtime", *WHEEL, *JOINED, *APP} - {"fetch"}, "sources=no")
    edit.build()
    (edit.checkout.path / "dist" / GNU / "tool").unlink()
    after("19: the bundle is gone", {"bundle"})
    shutil.rmtree(edit.checkout.path / ".pypack")
    after("20: all products are gone", {"stub", "runtime", "resolve", *JOINED, *APP})
