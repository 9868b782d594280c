"""What is taken out of a runtime's tree, and how its own files are told where it is."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypack.errors import ArchiveError
from pypack.formats import patch
from pypack.formats.image import ImageBuilder

FILES = ("bin/python3", "lib/a/b.py", "lib/a/test/c.py", "lib/test/d.py", "lib/x.so", "share/man/m.1")


def tree(*paths: str, **links: str) -> ImageBuilder:
    builder = ImageBuilder("tree")
    for path in paths:
        builder.add(path, b"x")
    for path, target in links.items():
        builder.add_link(path.replace("__", "/"), target)
    return builder


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("share", {"share/man/m.1"}), ("lib/a", {"lib/a/b.py", "lib/a/test/c.py"}), ("lib/*/test", {"lib/a/test/c.py"}),
        ("**/test", {"lib/a/test/c.py", "lib/test/d.py"}), ("lib/*.so", {"lib/x.so"}), ("*.py", set()), ("li", set()),
        ("**/*.py", {"lib/a/b.py", "lib/a/test/c.py", "lib/test/d.py"}), ("**/bin", {"bin/python3"}),
        ("lib/a/b", set()),
    ],
)  # fmt: skip
def test_patterns_take_folders_whole_and_stars_stop_at_a_folder(pattern, gone):
    with tree(*FILES) as builder:
        assert patch.drop(builder, [pattern]) == len(gone)
        assert set(builder.paths()) == set(FILES) - gone
    with tree(*FILES) as builder:
        assert patch.keep(builder, [pattern]) == len(gone)
        assert set(builder.paths()) == gone


WORDS = st.sampled_from(["a", "b", "ab", "a.py", "+"])
GLOBS = st.lists(WORDS | st.sampled_from(["*", "a*", "*.py"]), min_size=1, max_size=3).map("/".join)


@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=4).map("/".join), unique=True, max_size=8),
    st.lists(st.tuples(st.booleans(), GLOBS), max_size=3),
)
def test_patterns_mean_what_they_mean_part_by_part(files, globs):
    def is_meant(path, glob, *, deep):
        parts, wanted = path.split("/"), glob.split("/")
        return any(
            len(parts) - start >= len(wanted) and all(map(fnmatch.fnmatchcase, parts[start:], wanted))
            for start in (range(len(parts)) if deep else [0])
        )

    left = [path for path in files if not any(is_meant(path, glob, deep=deep) for deep, glob in globs)]
    with tree(*files) as builder:
        patch.drop(builder, [f"**/{glob}" if deep else glob for deep, glob in globs])
        assert builder.paths() == sorted(left)


def test_links_that_lead_nowhere_go_and_those_that_led_to_them():
    with tree("lib/a", lib__one="a", lib__two="gone", lib__three="two", lib__four="../lib", bin__x="three") as builder:
        patch.unlink_lost(builder)
        assert builder.paths() == ["lib/a", "lib/four", "lib/one"]


SYSCONFIG = """# system configuration
build_time_vars = {'prefix': '/install', 'LIBDIR': '/install/lib', 'NOT': '/installed', 'N': 3,
 'CC': '/build/tools/bin/clang -I/build/deps/include -O2 -L/install/lib', 'OTHER': '/usr/x'}
"""


def test_what_python_says_of_its_build_counts_from_where_it_is(monkeypatch):
    import sys

    with tree() as builder:
        builder.add("lib/python3.13/_sysconfigdata__linux_.py", SYSCONFIG.encode())
        builder.add("lib/python3.13/deeper/_sysconfigdata_x.py", SYSCONFIG.encode())
        patch.clean_sysconfig(builder, "lib/python3.13", install="/usr", build=["/build"])
        text = builder.read("lib/python3.13/_sysconfigdata__linux_.py").decode()
        assert builder.read("lib/python3.13/deeper/_sysconfigdata_x.py") == SYSCONFIG.encode()
    monkeypatch.setattr(sys, "base_prefix", "/here")
    found: dict[str, dict[str, object]] = {}
    exec(text, found)
    assert found["build_time_vars"] == {
        "prefix": "/here", "LIBDIR": "/here/lib", "NOT": "/installed", "N": 3, "CC": "clang -O2 -L/here/lib",
        "OTHER": "/usr/x",  # everybody's folder, not Python's
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [("x = 1\n", "has no build_time_vars"), ("build_time_vars = f()\n", "cannot be read"), ("(", "cannot be read"),
     ("build_time_vars = [1]\n", "has no build_time_vars")],
)  # fmt: skip
def test_a_module_that_says_nothing_is_refused(text, told):
    with pytest.raises(ArchiveError, match=rf"lib/x\.py in the runtime {told}"):
        patch.variables(text.encode(), "lib/x.py")


def test_pkgconfig_counts_from_its_own_place():
    with tree(lib__pkgconfig__link_pc="python.pc") as builder:
        builder.add("lib/pkgconfig/python.pc", b"prefix=/install\nLibs: -L/build/x -L/install/lib -lm\n")
        patch.clean_pkgconfig(builder, install="/install", build=["/build"])
        text = builder.read("lib/pkgconfig/python.pc").decode()
    assert text == "prefix=${pcfiledir}/../..\nLibs: -L${pcfiledir}/../../lib -lm\n"
