"""Why a package is there."""

from __future__ import annotations

import pytest

from pypack.base import targets
from pypack.deps import markers, reasons
from pypack.deps.inputs import Dependencies

LINUX = markers.environment(targets.load()["linux-gnu-x86_64"], "3.13.5")


def part(name, *requires):
    return {"name": name, "requires": list(requires)}


PARTS = [
    part("Rich", "markdown_it.py>=2", "pygments", "colorama; sys_platform == 'win32'"),
    part("markdown-it-py", "mdurl~=0.1", "not a requirement !!"),
    part("mdurl"), part("Pygments"), part("colorama"),
    part("httpx", "anyio", "h2; extra == 'http2'"), part("anyio"), part("h2", "hpack"), part("hpack", "h2"),
]  # fmt: skip


def test_the_shortest_chain_is_found_through_markers_and_extras():
    found = reasons.chains(PARTS, ["rich", "httpx[http2]>=0.2"], LINUX, origin="r.txt")
    assert found["mdurl"].links == ("r.txt", "Rich", "markdown-it-py", "mdurl")
    assert found["Pygments"].parents == ("Rich",)
    assert found["hpack"].links == ("r.txt", "httpx", "h2", "hpack")
    assert found["h2"].parents == ("hpack", "httpx")
    assert found["colorama"].links == ("r.txt", "colorama")  # no requirement on Linux leads to it: it was asked for
    assert found["httpx"].parents == ()


def test_what_was_asked_for_in_a_way_that_cannot_be_read_stands_by_itself():
    found = reasons.chains(PARTS, [], LINUX, origin="venv")
    assert found["Rich"].links == ("venv", "Rich")
    assert found["mdurl"].links == ("venv", "Rich", "markdown-it-py", "mdurl")
    assert found["h2"].links == ("venv", "h2")  # no extra was asked for


def test_requirements_files_are_read_as_far_as_names_go(tmp_path):
    (tmp_path / "more.txt").write_text("idna # why\n")
    (tmp_path / "r.txt").write_text(
        "# c\n--no-index\n-r more.txt\nclick==8.1 \\\n    --hash=sha256:00\nhttpx[http2, cli] ; python_version > '3'\n"
        "./wheels/saying-1.0-py3-none-any.whl\nname @ https://x.test/name-2.zip\nhttps://x.test/o-1-py3-none-any.whl\n"
        "-e .\n./folder\n"
    )
    found = reasons.direct(Dependencies(kind="requirements", file=tmp_path / "r.txt"))
    assert sorted(found) == ["click", "httpx[cli,http2]", "idna", "name", "o", "saying"]


@pytest.mark.parametrize("kind", ["venv", "uv-lock"])
def test_other_inputs_without_a_manifest_name_nothing(tmp_path, kind):
    assert reasons.direct(Dependencies(kind=kind, file=tmp_path / "x")) == ()
