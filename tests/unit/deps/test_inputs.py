"""Which file of a folder names the packages, and what is said of it."""

from __future__ import annotations

import pytest

from pypack.deps import inputs, manifests
from pypack.errors import InputError

PYPROJECT = '[project]\nname = "a"\ndependencies = ["click"]\noptional-dependencies = { fast = ["b"] }\n'
PYPROJECT += '[dependency-groups]\ntest = ["c"]\n'
BARE = '[project]\nname = "a"\n'
DYNAMIC = '[project]\nname = "a"\ndynamic = ["dependencies"]\n'
SCRIPT = "# /// script\n# dependencies = ['rich']\n# ///\n"


@pytest.fixture
def find(tmp_path):
    """Look into a folder of some files: ``find({"uv.lock": ""})``; ``script`` names the entry point."""

    def call(files, *, named="", script="", setup=None, **more):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_text(text)
        manifest = setup
        if (tmp_path / "pyproject.toml").is_file() and setup is None:
            manifest = manifests.pyproject(tmp_path / "pyproject.toml")
        entry = {"script": tmp_path / script if script else None, "alone": False}
        found, notes = inputs.find(
            tmp_path, named=tmp_path / named if named else None, manifest=manifest, **{**entry, **more}
        )
        call.notes = notes
        return found

    return call


@pytest.mark.parametrize(
    ("files", "kind", "name"),
    [
        ({"pylock.toml": "", "pyproject.toml": PYPROJECT, "requirements.txt": ""}, "pylock", "pylock.toml"),
        ({"uv.lock": "", "pyproject.toml": PYPROJECT, "requirements.txt": ""}, "uv-lock", "uv.lock"),
        ({"pyproject.toml": PYPROJECT, "requirements.txt": ""}, "pyproject", "pyproject.toml"),
        ({"pyproject.toml": DYNAMIC, "requirements.txt": ""}, "backend", "pyproject.toml"),
        ({"pyproject.toml": BARE, "requirements.txt": ""}, "requirements", "requirements.txt"),
        ({"pylock.toml": ""}, "pylock", "pylock.toml"),
    ],
)
def test_the_order_in_a_folder(find, files, kind, name):
    found = find(files)
    assert (found.kind, found.file.name, found.base) == (kind, name, found.file.parent)
    assert find.notes[0].startswith(f"packages are named by {name}")


def test_what_is_passed_over_is_told(find):
    find({"pylock.toml": "", "pyproject.toml": PYPROJECT, "requirements.txt": "rich\n"})
    assert find.notes == ("packages are named by pylock.toml; requirements.txt beside it is not read",)
    find({}, named="requirements.txt")
    assert find.notes == ("packages are named by requirements.txt",)


def test_nothing_names_packages(find):
    assert find({"pyproject.toml": BARE}) is None
    assert find.notes == ()
    with pytest.raises(InputError, match="there is none"):
        find({}, extras=("fast",))


def test_what_a_setup_py_requires_counts_before_requirements_for_developers(find, tmp_path):
    setup = manifests.Manifest(file=tmp_path / "setup.py", name="a", dependencies=("click",))
    assert find({}, setup=setup).kind == "setup"
    assert find({"requirements.txt": "pytest\n"}, setup=setup).kind == "setup"
    assert find.notes == ("packages are named by setup.py; requirements.txt beside it is not read",)
    assert find({}, setup=setup, named="requirements.txt").kind == "requirements"
    assert find({"requirements.txt": "-e .  # and more\npytest\n"}, setup=setup).kind == "requirements"
    bare = manifests.Manifest(file=tmp_path / "setup.py", name="a")
    assert find({"requirements.txt": "pytest\n"}, setup=bare).kind == "requirements"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"Pipfile": "", "Pipfile.lock": "{}"}, ("Pipfile.lock, Pipfile", "pipenv requirements --hash")),
        ({"environment.yml": ""}, ("environment.yml", "into requirements.txt")),
        ({"poetry.lock": ""}, ("poetry.lock", "poetry export -f requirements.txt")),
        ({"requirements/a.txt": "", "requirements/b.txt": ""}, ("requirements/a.txt", "-r requirements/a.txt")),
    ],
)
def test_packages_that_only_another_tool_reads_are_an_error(find, files, told, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError) as caught:
        find(files)
    for part in told:
        assert part in str(caught.value)
    assert find({"requirements.txt": ""}).kind == "requirements"  # an empty one says that there are none


def test_the_only_file_of_a_folder_of_requirements_counts(find):
    assert find({"requirements/prod.txt": "click\n"}).file.name == "prod.txt"
    assert find({"requirements.in": "click\n"}).file.name == "requirements.in"


def test_another_tools_lock_counts_where_the_tool_is_there(find, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find({"pyproject.toml": PYPROJECT, "poetry.lock": "", "pdm.lock": ""}).kind == "pyproject"
    assert "poetry.lock, pdm.lock beside it is not read" in find.notes[0]
    assert [note.level for note in find.notes[1:]] == ["warning"] * 2
    assert "pdm export" in find.notes[2]
    with pytest.raises(InputError, match="is not a file that pypack reads"):
        find({}, named="pdm.lock")
    tool = tmp_path / "bin" / "pdm"
    tool.parent.mkdir()
    tool.touch()
    tool.chmod(0o755)
    found = find({})
    assert (found.kind, found.file.name, len(find.notes)) == ("exported", "pdm.lock", 1)
    assert find({}, named="pyproject.toml").kind == "pyproject"


def test_the_lock_of_a_script_is_its_lock(find):
    found = find({"tool.py": SCRIPT, "tool.py.lock": ""}, script="tool.py", alone=True)
    assert (found.kind, inputs.locked_script(found).name) == ("uv-lock", "tool.py")


def test_a_script_that_says_what_it_needs(find):
    found = find({"tool.py": SCRIPT, "pyproject.toml": PYPROJECT, "requirements.txt": ""}, script="tool.py")
    assert (found.kind, found.file.name, found.requirements) == ("script", "tool.py", ("rich",))
    assert "requirements.txt, pyproject.toml beside it is not read" in find.notes[0]
    assert find({"plain.py": ""}, script="plain.py", alone=True) is None
    assert find({}, script="plain.py").kind == "pyproject"


def test_extras_and_groups(find):
    found = find({"pyproject.toml": PYPROJECT}, extras=("FAST",), groups=("test",))
    assert found.requirements == ("click", "b", "c")
    assert found.described == "pyproject.toml (extra FAST, group test)"
    with pytest.raises(InputError) as caught:
        find({}, extras=("fats",), groups=("tets", "test"))
    told = str(caught.value)
    assert "has no extra 'fats' (did you mean fast?)" in told
    assert "has no group 'tets' (did you mean test?)" in told
    with pytest.raises(InputError, match=r"requirements\.txt has no extras and no groups"):
        find({"requirements.txt": ""}, named="requirements.txt", extras=("fast",))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("uv.lock", "uv-lock"), ("pylock.toml", "pylock"), ("pylock.dev.toml", "pylock"), ("other.toml", "pyproject"),
        ("setup.cfg", "setup"), ("tool.pyw", "script"), ("deps.in", "requirements"),
    ],
)  # fmt: skip
def test_a_named_file_is_what_its_name_says(name, kind, tmp_path):
    assert inputs.kind_of(tmp_path / name) == kind


@pytest.mark.parametrize(
    ("files", "named", "told"),
    [
        ({"sub/x": ""}, "sub", "is a folder"),
        ({}, "gone.txt", "does not exist"),
        ({"plain.py": ""}, "plain.py", "no inline metadata"),
    ],
)
def test_a_named_file_that_will_not_do(find, files, named, told):
    with pytest.raises(InputError, match=told):
        find(files, named=named)


def test_a_virtual_environment_is_all_there_is(find, tmp_path):
    found = find({".venv/pyvenv.cfg": "", "pyproject.toml": PYPROJECT}, venv=tmp_path / ".venv")
    assert (found.kind, found.base) == ("venv", tmp_path)
    with pytest.raises(InputError, match="venv is all that there is"):
        find({}, venv=tmp_path / ".venv", extras=("fast",))
    with pytest.raises(InputError, match=r"it has no pyvenv\.cfg"):
        find({}, venv=tmp_path)


def test_wheels_by_themselves_and_with_others(find, tmp_path):
    wheel = tmp_path / "a-1-py3-none-any.whl"
    found = find({wheel.name: ""}, wheels=(wheel,))
    assert (found.kind, found.base, found.described) == ("wheels", tmp_path, wheel.name)
    assert find({"pyproject.toml": PYPROJECT}, wheels=(wheel,)).kind == "pyproject"


def test_a_lock_is_no_input_while_it_is_renewed(find, tmp_path):
    files = {"pylock.toml": "", "pyproject.toml": PYPROJECT}
    found = find(files, renew=True)
    assert (found.kind, found.lock) == ("pyproject", tmp_path / "pylock.toml")
    assert find({}).origin.kind == "pyproject"
    assert find({"tool.py": SCRIPT}, script="tool.py", renew=True).lock == tmp_path / "pylock.tool.toml"
