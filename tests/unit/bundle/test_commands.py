"""The commands of packages, as the launch block names them."""

from __future__ import annotations

from tests.unit.bundle.test_writer import PARAMS, entries

from pypack.bundle import commands, starting, writer
from pypack.formats.image import ImageBuilder, read_image

ENTRY_POINTS = """
[console_scripts]
tool = pkg.mod:main
Tool2=pkg.mod : Class.method [extra]
no-object = pkg.mod
../out = pkg:main
hello = pkg:other
[gui_scripts]
window = pkg.ui:run
[pytest11]
plugin = pkg.plugin
"""


OWN = {"boot/encodings.pyc": 4, "run.pyc": 4, "child.pyc": 4, "failure.pyc": 4}
"""What the bootstrap has in an app layer, and its size."""


def image(folder):
    with ImageBuilder("deps") as builder:
        builder.add("site-packages/pkg-1.dist-info/entry_points.txt", ENTRY_POINTS.encode())
        builder.add("site-packages/bad-1.dist-info/entry_points.txt", b"not an ini file")
        builder.add("site-packages/pkg/bin/x", b"\x7fELF", executable=True)
        builder.add("bin/tool.py", b"from pkg.mod import main as run")
        builder.add("bin/native", b"\x7fELF", executable=True)
        builder.add("bin/old", b"#!python\nprint(1)\n", executable=True)
        builder.add("bin/data.txt", b"text")
        builder.add("bin/.hidden", b"\x7fELF", executable=True)
        builder.write(folder / "deps.tar")
    return folder / "deps.tar"


def found(path):
    seen = commands.Commands()
    for member, stream in read_image(path):
        seen.read_member(member, stream)
    return seen.pairs()


def test_what_is_found(tmp_path):
    assert found(image(tmp_path)) == [
        ["script", "Tool2=pkg.mod:Class.method"],
        ["script", "hello=pkg:other"],
        ["script", "tool=pkg.mod:main"],
        ["script", "window=pkg.ui:run"],
        ["command", "2:bin/native"],
        ["script", "2:bin/old"],
    ]


def test_the_launch_block_names_all_but_the_program_s_own_name(tmp_path):
    facts = {"runtime": {"sizes": {}, "floor": "", "floor_needed_by": ""}}
    facts["deps"] = {"commands": found(image(tmp_path)), "floor": "", "floor_needed_by": ""}
    params = {**PARAMS, "name": "Hello", "self_commands": False}
    pairs = writer.launch_block(params, facts, OWN, entries(), starting.plan(params, OWN))
    assert ("script", "tool=pkg.mod:main") in pairs
    assert ("self", "off") in pairs
    assert not [pair for pair in pairs if pair[1].startswith("hello=") or pair[0] == "interpreter"]
    params = {**PARAMS, "name": "native", "interpreter": False}
    pairs = writer.launch_block(params, facts, OWN, entries(), starting.plan(params, OWN))
    assert ("command", "2:bin/native") not in pairs
    assert ("interpreter", "off") in pairs


def test_data_of_the_program_s_own_wheel_comes_before_that_of_packages():
    facts = {"runtime": {"sizes": {}, "floor": ""}, "deps": {"data": True, "commands": [], "floor": ""}}
    sizes = {**OWN, "data/share/tool/words.txt": 5}
    pairs = writer.launch_block(PARAMS, facts, sizes, entries(), starting.plan(PARAMS, OWN))
    assert [pair for pair in pairs if pair[0] == "data"] == [("data", "3:data"), ("data", "2:data")]
    without = writer.launch_block(PARAMS, facts, OWN, entries(), starting.plan(PARAMS, OWN))
    assert [pair for pair in without if pair[0] == "data"] == [("data", "2:data")]


def test_what_the_bootstrap_is_told():
    start = starting.plan(PARAMS, OWN)
    facts = {"runtime": {"sizes": {}}}
    told = writer.launch_file({**PARAMS, "scripts_on_path": True}, entries(), facts, start).decode()
    assert "on_path=commands\n" in told
    assert "on_path=" not in writer.launch_file(PARAMS, entries(), facts, start).decode()
