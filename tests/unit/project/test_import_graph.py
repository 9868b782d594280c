"""What sources import, and what the program cannot start without."""

from __future__ import annotations

import pytest

from pypack.project import import_graph
from pypack.project.entries import Entry
from pypack.project.import_graph import Conditions

LINUX = Conditions(sys_platform="linux", os_name="posix", platform_system="Linux", version=(3, 13, 5))


def imported(text, *, package="", is_main=False):
    found = import_graph.imports(text.encode(), package, LINUX, is_main=is_main)
    return {each.module: each.required for each in found}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import a, b.c as d", {"a": True, "b.c": True}),
        ("from a import b", {"a": True, "a.b": True}),
        ("def f():\n import a", {"a": False}),
        ("class C:\n import a", {"a": True}),
        ("try:\n import a\nexcept ValueError:\n import b", {"a": True, "b": False}),
        ("with open('x'):\n import a", {"a": True}),
        ("import sys\nsys.path.append('x')\nimport a", {"sys": False, "a": False}),
        ("run(['pip', 'install', 'a'])\nimport a", {"a": False}),
        ("from contextlib import suppress\nwith suppress(ImportError):\n import a",
         {"contextlib": True, "contextlib.suppress": True}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import a\nelse:\n import b",
         {"typing": True, "typing.TYPE_CHECKING": True, "b": True}),
        ("if sys.platform == 'win32':\n import a\nelse:\n import b", {"b": True}),
        ("if sys.platform.startswith('linux') and os.name != 'nt':\n import a", {"a": True}),
        ("if sys.version_info >= (3, 11):\n import a\nelse:\n import b", {"a": True}),
        ("if sys.version_info < (3, 13) or platform.system() == 'Windows':\n import a", {}),
        ("if sys.version_info[0] == 2:\n import a", {}),
        ("if not sys.version_info[:2] > (3, 10):\n import a", {}),
        ("if os.environ.get('X'):\n import a\nelse:\n import b", {"a": False, "b": False}),
        ("if __name__ == '__main__':\n import a", {}),
    ],
)  # fmt: skip
def test_where_an_import_stands_decides_what_it_means(text, found):
    assert imported(text) == found


def test_what_only_the_program_itself_does():
    assert imported("if __name__ == '__main__':\n import a", is_main=True) == {"a": True}


def test_relative_imports_are_of_the_package():
    text = "from . import a\nfrom ..x.y import b\nfrom .... import c\n"
    assert imported(text, package="p.q") == {"p.q": True, "p.q.a": True, "p.x.y": True, "p.x.y.b": True}


def test_a_stand_in_counts_only_where_the_others_are_absent():
    (found,) = import_graph.imports(
        b"try:\n import a\nexcept ImportError:\n import b", "", LINUX, is_main=False
    )  # fmt: skip
    assert (found.module, found.instead, found.required) == ("b", ("a",), False)


def test_what_is_no_python_has_no_imports():
    assert import_graph.imports(b"import {{ name }}", "", LINUX, is_main=False) is None
    assert import_graph.imports(b"\0", "", LINUX, is_main=False) is None


FILES = {
    "src/main.py": b"import helper, pkg.deep\ndef f(): import later\n",
    "src/helper.py": b"", "pkg/__init__.py": b"from . import side\n", "pkg/deep.py": b"", "pkg/side.py": b"",
    "later.py": b"", "pkg/__main__.py": b"",
}  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "needed"),
    [
        (Entry(kind="script", name="src/main.py"),
         ["src/main.py", "src/helper.py", "pkg/__init__.py", "pkg/deep.py", "pkg/side.py"]),
        (Entry(kind="module", name="pkg"), ["pkg/__main__.py", "pkg/__init__.py", "pkg/side.py"]),
        (Entry(kind="function", name="pkg.deep", function="f"), ["pkg/__init__.py", "pkg/deep.py", "pkg/side.py"]),
        (Entry(kind="scripts", name="", scripts=(("a", "later:x"), ("b", "elsewhere:y"))), ["later.py"]),
    ],
)  # fmt: skip
def test_what_a_program_cannot_start_without(entry, needed):
    assert import_graph.needed_files(entry, FILES, FILES.__getitem__) == needed
