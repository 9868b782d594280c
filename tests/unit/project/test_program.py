"""Finding a program's entry point and reading its settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from SCons.Environment import Environment

from pypack.errors import InputError
from pypack.project import program
from pypack.project.entries import Entry
from pypack.scons import tool


def tree(root, *files, **contents):
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents.get(name, ""))
    return root


def test_a_folder_with_one_script_is_that_script(tmp_path):
    found = program.load(tree(tmp_path, "hello.py"))
    assert (found.name, found.entry) == ("hello", Entry(kind="script", name="hello.py"))


def test_a_package_folder_runs_as_a_module(tmp_path):
    found = program.load(tree(tmp_path / "myapp", "__init__.py", "__main__.py"))
    assert (found.under, found.entry) == ("myapp", Entry(kind="module", name="myapp"))


def test_a_folder_with_only_main_runs_like_python_folder(tmp_path):
    found = program.load(tree(tmp_path / "tool", "__main__.py", "helper.py"))
    assert (found.name, found.under, found.entry) == ("tool", "", Entry(kind="script", name="__main__.py"))


@pytest.mark.parametrize("under", ["", "src/"])
def test_a_project_folder_finds_its_package(tmp_path, under):
    tree(tmp_path, f"{under}greet/__main__.py", f"{under}greet/__init__.py", "requirements.txt")
    found = program.load(tmp_path)
    assert found.entry == Entry(kind="module", name="greet")
    assert found.root == tmp_path / under.rstrip("/")
    assert found.dependencies.file == tmp_path / "requirements.txt"


def test_entry_names_a_function(tmp_path):
    found = program.load(tree(tmp_path, "pkg/__init__.py", "pkg/cli.py"), entry="pkg.cli:main")
    assert found.entry == Entry(kind="function", name="pkg.cli", function="main")


def test_entry_alone_names_a_script_elsewhere(tmp_path, monkeypatch):
    tree(tmp_path, "a/tool.py", "a/other.py", "a/requirements.txt", "a/pyproject.toml")
    (tmp_path / "a/pyproject.toml").write_text('[project]\nname = "another"\n')
    monkeypatch.chdir(tmp_path)
    found = program.load(entry="a/tool.py")
    assert (found.name, found.only, found.root) == ("tool", ("tool.py",), tmp_path / "a")
    assert found.dependencies is None
    assert program.load(entry="a/tool.py", requirements=str(tmp_path / "a/requirements.txt")).dependencies


def test_settings_come_from_pyproject_and_the_command_line_wins(tmp_path):
    tree(tmp_path, "x/__main__.py", "x/__init__.py", "pyproject.toml")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "proj"\nversion = "1.2"\n[tool.pypack]\npython = "3.12"\ntargets = ["all"]\n'
    )
    found = program.load(tmp_path, python="3.13", name="")
    assert (found.name, found.version, found.python, found.targets) == ("proj", "1.2", "3.13", ("all",))


def test_unknown_settings_are_told_all_at_once_with_near_names(tmp_path):
    tree(tmp_path, "a.py", "pyproject.toml")
    (tmp_path / "pyproject.toml").write_text('[tool.pypack]\npyhton = "3.13"\nsources = "no"\n')
    with pytest.raises(InputError) as caught:
        program.load(tmp_path)
    assert "did you mean python" in str(caught.value)
    assert "sources: must be true or false" in str(caught.value)


@pytest.mark.parametrize(
    ("files", "entry", "told"),
    [
        ((), "", "no entry point"),
        (("a.py", "b.py"), "", "several scripts"),
        (("a/__main__.py", "b/__main__.py"), "", "several packages"),
        (("__init__.py",), "", "no __main__.py"),
        (("a.py",), "missing.py", "does not exist"),
        (("a.py",), "not a module!", "neither a path nor"),
        (("pkg/__init__.py",), "pkg", "no __main__.py"),
    ],
)
def test_what_cannot_be_started_is_one_clear_error(tmp_path, files, entry, told):
    with pytest.raises(InputError, match=told):
        program.load(tree(tmp_path, *files), entry=entry)


@pytest.mark.parametrize("name", ["a/b", "..", "", "con", "nul.txt", "x\n", "-x", "a b", "ä", "dot."])
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    tree(tmp_path, "a.py")
    if not name:  # nothing given: the script's own name
        assert program.load(tmp_path, name=name).name == "a"
        return
    with pytest.raises(InputError, match="cannot be the name of a file"):
        program.load(tmp_path, name=name)


def test_a_missing_folder_and_a_missing_script(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        program.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="does not exist"):
        program.load(entry=str(tmp_path / "nowhere.py"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tool = 3", "tool in"),
        ("[tool]\npypack = 3", "pypack in"),
        ("project = 3", "project in"),
        ("[tool.pypack]\ntargets = [1]", "list of texts"),
        ("x = ", "cannot be read"),
    ],
)
def test_settings_of_the_wrong_kind_are_told(tmp_path, text, told):
    tree(tmp_path, "a.py")
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InputError, match=told):
        program.load(tmp_path)


def test_a_misspelt_keyword_gets_near_names(tmp_path):
    with pytest.raises(InputError, match="did you mean requirements"):
        program.load(tree(tmp_path, "a.py"), requirement="x.txt")


def test_dependencies_that_are_not_read_are_told(tmp_path):
    tree(tmp_path, "a.py")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\ndependencies = ["click"]\n')
    assert program.load(tmp_path).notes[1:] == ("packages are named by pyproject.toml",)
    told = program.load(tree(tmp_path, "requirements.txt")).notes
    assert told[1:] == ("packages are named by pyproject.toml; requirements.txt beside it is not read",)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"floors": {"glibc": 2.28}}, 'floors.glibc: must be a version such as "2.28", is 2.28'),
        ({"floors": "2.28"}, "floors: must be a table, is '2.28'"),
        ({"floors": {"glibcc": "2.28"}}, "floors.glibcc: not known"),
        ({"console": "no"}, "console: must be true or false, is 'no'"),
        ({"python": 3.13}, "python: must be a text, is 3.13"),
        ({"targets": "host"}, "targets: must be a list of texts, is 'host'"),
        ({"include": (1,)}, "include: must be a list of"),
        ({"sign": {"tool": "gpg"}}, "sign.tool: must be one of rcodesign, codesign, is 'gpg'"),
        ({"mode": "onefil"}, "mode: must be one of onefile, is 'onefil' (did you mean onefile?)"),
        ({"launch": "embd"}, "launch: must be one of exec, embed, is 'embd' (did you mean embed?)"),
        ({"environment": "user"}, "environment: must be one of isolated, standard, is 'user'"),
        ({"optimize": 3}, "optimize: must be one of 0 or 1 or 2, is 3"),
        ({"optimize": True}, "optimize: must be a number, is True"),
        ({"pins": "file.toml"}, "pins: must be a list of tables, is 'file.toml'"),
        ({"consol": True, "sources": "no"}, "consol: not known (did you mean console"),
    ],
)
def test_given_settings_are_checked_as_those_of_the_file(tmp_path, given, told):
    with pytest.raises(InputError) as caught:
        program.load(tree(tmp_path, "a.py"), **given)
    assert str(caught.value).startswith("a setting cannot be used:\n")
    assert told in str(caught.value)


def test_given_settings_may_be_pythons_own_kinds(tmp_path):
    found = program.load(
        tree(tmp_path, "a.py", "r.txt"), targets=("host",), icon=tmp_path / "a.ico", requirements=tmp_path / "r.txt",
        floors={"glibc": "2.28"}, console=False,
    )  # fmt: skip
    assert (found.targets, found.icon, found.console) == (("host",), tmp_path / "a.ico", False)


def inline(text):
    return "".join(f"# {line}".rstrip() + "\n" for line in ["/// script", *text.splitlines(), "///"]) + "print(1)\n"


def test_a_lone_script_has_settings_in_its_inline_metadata_and_options_win(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.pypack]\nname = "other"\npython = "3.12"\n')
    text = 'name = "tool"\nicon = "art/a.ico"\nexclude-tests = true\nfloors = { glibc = "2.28" }'
    (tmp_path / "a.py").write_text(inline(f"[tool.pypack]\n{text}"))
    found = program.load(entry=str(tmp_path / "a.py"))
    assert (found.name, found.icon, found.exclude_tests) == ("tool", tmp_path / "art/a.ico", True)
    assert (found.floors, found.python, found.dependencies) == ({"glibc": "2.28"}, "", None)
    found = program.load(tmp_path / "a.py", name="b", floors={"macos": "13.0"})
    assert (found.name, found.floors, found.exclude_tests) == ("b", {"macos": "13.0"}, True)
    found = program.load(tmp_path)  # what a folder's pyproject.toml says counts where the script says nothing
    assert (found.name, found.python, found.exclude_tests) == ("tool", "3.12", True)


def test_settings_stand_beside_what_a_script_needs(tmp_path):
    (tmp_path / "a.py").write_text(inline('dependencies = ["idna"]\n[tool.pypack]\nno-build = true\n[tool.uv]\nx = 1'))
    found = program.load(entry=str(tmp_path / "a.py"))
    assert (found.no_build, found.dependencies.kind, found.dependencies.requirements) == (True, "script", ("idna",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[tool.pypack]\nnaem = "x"', "naem: not known (did you mean name"),
        ('[tool.pypack]\nentry = "x"', "the script is the entry"),
        ("[tool]\npypack = 1", "pypack in the inline metadata of"),
        ("[tool.pypack", "cannot be read"),
    ],
)
def test_wrong_settings_of_a_script_are_told(tmp_path, text, told):
    (tmp_path / "a.py").write_text(inline(text))
    with pytest.raises(InputError) as caught:
        program.load(entry=str(tmp_path / "a.py"))
    assert told in str(caught.value)
    assert "a.py" in str(caught.value)


def test_paths_that_a_sconscript_gives_count_from_its_folder(tmp_path):
    env = Environment(tools=[])
    top = Path(env.Dir("#").get_abspath())
    tree(tmp_path, "a.py", "b, $c.whl", "p12", "r$t.tar")
    given = {
        "icon": "art/$a.ico", "requirements": env.File("#pyproject.toml"), "runtime": "here/r.tar",
        "sign": {"tool": "rcodesign", "p12": str(tmp_path / "p12"), "password_env": "X"},
        "wheels": [str(tmp_path / "b, $c.whl")], "report": "r,e.txt", "out": "", "sizes": True,
    }  # fmt: skip
    asked = tool._build_request(env, "", tmp_path, "", "", given)
    found = asked.project
    assert (found.icon, found.dependencies.file) == (top / "art/$a.ico", top / "pyproject.toml")
    assert (found.runtime, found.sign.p12) == (str(top / "here/r.tar"), tmp_path / "p12")
    assert found.dependencies.wheels == (tmp_path / "b, $c.whl",)
    assert (asked.options.report, asked.options.out, asked.options.sizes) == (Path("r,e.txt"), None, True)


def test_a_keyword_of_a_bundle_that_is_not_known_is_told(tmp_path):
    with pytest.raises(InputError, match="upgrade: not known"):
        tool._build_request(Environment(tools=[]), "", tree(tmp_path, "a.py"), "", "", {"upgrade": True})


def test_a_runtime_that_a_file_names_counts_from_the_program_s_folder(tmp_path):
    tree(tmp_path, "a.py")
    for given, whole in (("rt.tar.gz", tmp_path / "rt.tar.gz"), ("../x/rt", tmp_path / "../x/rt")):
        (tmp_path / "pyproject.toml").write_text(f"[tool.pypack]\nruntime = '{given}'\n")
        assert program.load(tmp_path).runtime == str(whole)
    for given in ("auto", "pbs", "https://x.example/rt.tar", "file:///rt.tar", "~/rt.tar", "pbz"):
        assert program.load(tmp_path, runtime=given).runtime == given
