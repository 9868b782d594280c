"""Every place where a program may name its packages: found by itself or named, built for real, and started."""

from __future__ import annotations

import sys

import pytest
import uv

from .conftest import GNU, run

PROGRAM = """\
import importlib.metadata as metadata

def main():
    print(*sorted(each.name for each in metadata.distributions()))

if __name__ == "__main__":
    main()
"""
PROJECT = """\
[project]
name = "tool"
version = "1.5"
requires-python = ">=3.10"
dependencies = ["click>=8", "tzdata; sys_platform == 'win32'"]
[project.optional-dependencies]
Fast_One = ["idna"]
[dependency-groups]
plugins = ["mdurl", {include-group = "more"}]
more = ["iniconfig"]
"""
SETUP = """\
from setuptools import setup
print("what a setup.py prints is not part of any answer")
setup(name="tool", version="1.5", py_modules=["tool"], install_requires=["click"], extras_require={"x": ["idna"]},
      entry_points={"console_scripts": ["tool=tool:main"]})
"""
SETUP_CFG = """\
[metadata]
name = tool
version = 1.5
[options]
py_modules = tool
install_requires = click
[options.extras_require]
x = idna
[options.entry_points]
console_scripts =
  tool = tool:main
"""
INLINE = """\
# /// script
# requires-python = ">=3.10"
# dependencies = ["idna"]
# ///
"""


def tree(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def uv_run(folder, *words):
    done = run([uv.find_uv_bin(), *words], cwd=folder)
    assert done.code == 0, done.text
    return done.out


@pytest.fixture
def build(checkout, start, tmp_path):
    """Build a folder (or a wheel) with some options and return what the program and the build printed."""

    def call(place, *words, name="tool"):
        done = checkout.pypack("build", str(place), "--profile", "dev", "--runtime", "host", *words)
        return start(checkout.bundle(name)).out.split(), done.out

    return call


def test_pyproject_with_extras_and_groups(build, checkout, tmp_path):
    folder = tree(tmp_path / "app", tool__py=PROGRAM, pyproject__toml=PROJECT, requirements__txt="rich\n")
    found, told = build(folder)
    assert found == ["click", "tool"]
    assert "packages are named by pyproject.toml; requirements.txt beside it is not read" in told
    found, told = build(folder, "--extra", "fast-one", "--group", "plugins")
    assert found == ["click", "idna", "iniconfig", "mdurl", "tool"]
    assert "pyproject.toml (extra fast-one, group plugins)" in told
    (folder / "pyproject.toml").write_text(PROJECT + "[tool.ruff]\nline-length = 100\n")
    done = checkout.pypack("build", str(folder), "--profile", "dev", "--runtime", "host", "--extra", "fast-one",
                           "--group", "plugins")  # fmt: skip
    assert "is up to date" in done.out  # other tables of the file decide nothing


def test_uv_lock(build, checkout, tmp_path):
    folder = tree(tmp_path / "app", tool__py=PROGRAM, pyproject__toml=PROJECT.replace("click>=8", "click==8.1.7"))
    uv_run(folder, "lock", "-q", "--python", sys.executable)
    found, told = build(folder, "--group", "plugins", "-v")
    assert found == ["click", "iniconfig", "mdurl", "tool"]
    assert "packages are named by uv.lock (group plugins)" in told
    (folder / "pyproject.toml").write_text(PROJECT.replace("click>=8", "click>=8.2"))
    done = checkout.pypack("build", str(folder), "--profile", "dev", "--runtime", "host", ok=False)
    assert done.code == 2
    assert "uv.lock is older than pyproject.toml:\n  it has click 8.1.7, and click>=8.2 is asked for" in done.text


def test_pylock_of_others(build, tmp_path):
    folder = tree(tmp_path / "app", tool__py=PROGRAM, pyproject__toml=PROJECT)
    uv_run(folder, "pip", "compile", "-q", "--universal", "--format", "pylock.toml", "-o", "pylock.toml",
           "--python", sys.executable, "pyproject.toml")  # fmt: skip
    found, told = build(folder)
    assert found == ["click", "tool"]  # tzdata is in the lock, for Windows
    assert "packages are named by pylock.toml" in told


def test_requirements_with_hashes_constraints_and_wheels_by_path(build, tmp_path):
    folder = tree(tmp_path / "app", tool__py=PROGRAM, base__txt="idna\n", limits__txt="idna<3.11\n")
    uv_run(folder, "pip", "compile", "-q", "--generate-hashes", "--no-header", "-o", "base.txt", "base.txt",
           "-c", "limits.txt", "--python", sys.executable)  # fmt: skip
    assert "--hash" in (folder / "base.txt").read_text()
    tree(folder, requirements__txt="-r base.txt\n-c limits.txt\n")
    assert build(folder)[0] == ["idna"]


@pytest.mark.parametrize("form", ["setup.py", "setup.cfg"])
def test_setup(build, tmp_path, form):
    files = {"tool__py": PROGRAM, "setup__py": SETUP}
    if form == "setup.cfg":
        files = {"tool__py": PROGRAM, "setup__cfg": SETUP_CFG}
    found, told = build(tree(tmp_path / "app", **files), "--extra", "x")
    assert found == ["click", "idna", "tool"]
    assert f"packages are named by {form} (extra x)" in told


def test_dependencies_that_the_build_backend_knows(build, tmp_path):
    text = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    text += '[project]\nname = "tool"\nversion = "1.5"\ndynamic = ["dependencies"]\n'
    text += "[project.optional-dependencies]\nx = ['idna']\n[tool.setuptools]\npy-modules = ['tool']\n"
    text += "[tool.setuptools.dynamic]\ndependencies = {file = ['needs.txt']}\n"
    folder = tree(tmp_path / "other", tool__py=PROGRAM, pyproject__toml=text, needs__txt="click\n")
    assert build(folder)[0] == ["click", "tool"]
    (folder / "needs.txt").write_text("click\niniconfig\n")
    assert build(folder, "--extra", "x")[0] == ["click", "idna", "iniconfig", "tool"]


def test_a_distribution_is_bundled_as_its_wheel(build, checkout, start, tmp_path):
    text = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    text += '[project]\nname = "own-tool"\ndynamic = ["version"]\n[project.scripts]\ntool = "own.cli:main"\n'
    text += '[tool.hatch]\nversion.path = "src/own/__init__.py"\nbuild.targets.wheel.packages = ["src/own"]\n'
    folder = tree(tmp_path / "app", pyproject__toml=text, rubbish__py="this is no Python")
    program = "import importlib.resources as r, importlib.metadata as m\n"
    program += "def main():\n    print(m.version('own-tool'), r.files('own').joinpath('data.txt').read_text())\n"
    tree(folder / "src/own", cli__py=program, data__txt="data")
    (folder / "src/own/__init__.py").write_text("__version__ = '7.1'\n")
    assert build(folder)[0] == ["7.1", "data"]
    (folder / "src/own/data.txt").write_text("more")
    assert build(folder)[0] == ["7.1", "more"]
    told = checkout.pypack("inspect", str(checkout.bundle("tool"))).out
    assert told.startswith(f"pypack bundle: tool 7.1 for {GNU}\n")


def test_inline_metadata_of_a_script(build, tmp_path):
    folder = tree(tmp_path / "app", tool__py=INLINE + PROGRAM, requirements__txt="rich\n")
    found, told = build(folder / "tool.py")
    assert found == ["idna"]
    assert "packages are named by tool.py" in told


def test_poetry_git_and_a_script_with_settings_of_uv(build, tmp_path):
    """``[tool.poetry]`` alone, a commit of a repository, and sources in inline metadata: none may come from PyPI."""
    system = '[build-system]\nrequires = ["{}"]\nbuild-backend = "{}"\n'
    lib = tree(tmp_path / "lib", **{
        "iniconfig.py": '"""Ours"""\n__version__ = "99.1"\n',
        "pyproject.toml": '[project]\nname = "iniconfig"\ndynamic = ["version", "description"]\n'
                          + system.format("flit_core", "flit_core.buildapi"),
    })  # fmt: skip
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x"), ("tag", "v1")):
        run([*git, *arguments], cwd=lib)
    app = tree(tmp_path / "app", **{
        "tool.py": PROGRAM,
        "pyproject.toml": '[tool.poetry]\nname = "tool"\nversion = "1.2"\ndescription = ""\nauthors = ["A <a@b.c>"]\n'
                          '[tool.poetry.dependencies]\npython = ">=3.10"\n'
                          f'iniconfig = {{ git = "{lib.as_uri()}", tag = "v1" }}\n'
                          '[tool.poetry.scripts]\ntool = "tool:main"\n'
                          + system.format("poetry-core", "poetry.core.masonry.api"),
    })  # fmt: skip
    assert build(app)[0] == ["iniconfig", "tool"]
    script = tree(tmp_path / "script", **{
        "tool.py": "# /// script\n# dependencies = ['iniconfig']\n# [tool.uv.sources]\n"
                   "# iniconfig = { path = '../lib' }\n# ///\nimport iniconfig\nprint(iniconfig.__version__)\n",
    })  # fmt: skip
    assert build(script / "tool.py")[0] == ["99.1"]


def test_a_wheel_is_a_program(build, tmp_path):
    folder = tree(tmp_path / "src", tool__py=PROGRAM, setup__py=SETUP)
    uv_run(folder, "build", "-q", "--wheel", "--out-dir", str(tmp_path / "wheels"), "--python", sys.executable)
    found, _ = build(tmp_path / "wheels" / "tool-1.5-py3-none-any.whl")
    assert found == ["click", "tool"]
    beside = tree(tmp_path / "app", main__py="import tool; tool.main()\n")
    assert build(beside, "--wheel", str(tmp_path / "wheels/tool-1.5-py3-none-any.whl"), name="main")[0] == found


def test_a_virtual_environment(build, checkout, tmp_path):
    folder = tree(tmp_path / "app", tool__py=PROGRAM)
    uv_run(folder, "venv", "-q", "--python", sys.executable)
    python = next(path for path in (folder / ".venv/bin/python", folder / ".venv/Scripts/python.exe") if path.exists())
    uv_run(folder, "pip", "install", "-q", "--python", str(python), "click", "idna", "pip")
    found, told = build(folder, "--venv", str(folder / ".venv"))
    assert found == ["click", "idna"]  # nothing asks for pip, which environments come with
    assert "packages are those that .venv has installed" in told
    again = checkout.pypack("build", str(folder), "--profile", "dev", "--runtime", "host", "--venv", f"{folder}/.venv")
    assert "is up to date" in again.out
    info = next((folder / ".venv").rglob("idna-*.dist-info"))
    metadata = (info / "METADATA").read_bytes()
    (info / "METADATA").unlink()
    done = checkout.pypack("build", str(folder), "--runtime", "host", "--venv", str(folder / ".venv"), ok=False)
    assert done.code == 2
    assert f"{info.name} is broken: it has no METADATA" in done.text
    (info / "METADATA").write_bytes(metadata)
    minor = ".".join(map(str, sys.version_info[:2]))
    config = folder / ".venv/pyvenv.cfg"
    config.write_text(config.read_text().replace(minor, "3.9"))
    words = ("build", str(folder), "--runtime", "host", "--venv", str(folder / ".venv"), "--python", minor)
    done = checkout.pypack(*words, ok=False)
    assert done.code == 2
    assert f"{folder}/.venv is for Python 3.9, the bundle for " in done.text
    assert f"gets Python {minor}\n" in done.text
    config.write_text(config.read_text().replace("3.9", minor))
    checkout.pypack(*words)  # nothing else was wrong with it


def test_several_commands_in_one_file(checkout, start, tmp_path):
    text = PROJECT + '[project.scripts]\none = "tool:main"\ntwo = "tool:two"\n'
    program = PROGRAM.replace(
        "if __name__", "def two():\n    import sys\n    print(sys.argv[1:])\n    return 3\n\nif __name__"
    )
    folder = tree(tmp_path / "app", tool__py=program, pyproject__toml=text)
    checkout.pypack("build", str(folder), "--profile", "dev", "--runtime", "host")
    bundle = checkout.bundle("tool")
    assert start(bundle, "one").out.split() == ["click", "tool"]
    (tmp_path / "two").symlink_to(bundle)
    done = start(tmp_path / "two", "a", "b")
    assert (done.code, done.out) == (3, "['a', 'b']\n")
    done = start(bundle, "three")
    assert (done.code, done.out) == (2, "")
    assert "no program is called 'three'\n" in done.err
    assert "no program is called 'tow' (did you mean two?)\n" in start(bundle, "tow").err
    assert "programs: one two" in start(bundle, "--help").out
    checkout.pypack("build", str(folder), "--profile", "dev", "--runtime", "host", "--entry", "two")
    assert start(checkout.bundle("two"), "x").out == "['x']\n"


@pytest.mark.parametrize(
    ("files", "words", "told"),
    [
        ({"pyproject__toml": PROJECT}, ["--extra", "fats-one"], "has no extra 'fats-one' (did you mean fast-one?)"),
        ({"pyproject__toml": PROJECT}, ["--group", "plugin"], "has no group 'plugin' (did you mean plugins?)"),
        ({}, ["--extra", "x"], "extras and groups are of a pyproject.toml"),
        ({}, ["--venv", "nowhere"], "is no virtual environment"),
        ({}, ["--wheel", "nowhere.whl"], "there is no wheel"),
        ({}, ["-r", "tool.py"], "has no inline metadata"),
        ({"pyproject__toml": PROJECT + '[project.scripts]\na = "tool:mian"\n'}, [], "has no mian (did you mean main?)"),
        ({"pyproject__toml": PROJECT + '[project.scripts]\na = "tool.x:main"\n'}, [], "tool has no module tool.x"),
        ({}, ["--entry", "tolo:main"], "there is no module tolo (did you mean tool?)"),
        (
            {"pyproject__toml": PROJECT.replace('include-group = "more"', 'include-group = "plugins"')},
            ["--group", "plugins"],
            "dependency-groups.plugins: Cyclic dependency group include",
        ),
    ],
)
def test_bad_input(checkout, tmp_path, files, words, told):
    folder = tree(tmp_path / "app", tool__py=PROGRAM, **files)
    words = [str(folder / word) if word in {"nowhere", "nowhere.whl", "tool.py"} else word for word in words]
    done = checkout.pypack("build", str(folder), "--runtime", "host", *words, ok=False)
    assert done.code == 2, done.text
    assert told in done.text
    assert "Traceback" not in done.text
    assert not (checkout.path / "dist" / GNU).exists()
