"""What a program, its children and pip see is what a virtual environment with the same packages shows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases.conftest import GNU, HERE, Checkout, copy_tree, run
from tests.support.wheels import entry_points, wheel

PROGRAM = HERE / "tests/support/environment_probe.py"
MINOR = f"python{sys.version_info[0]}.{sys.version_info[1]}"
KINDS = ("script", "command", "module", "sourceless", "commands", "long")
"""How the program begins: a file, [project.scripts], -m, bytecode, one of two commands, a large file."""
PARALLEL = ["joblib>=1.4", "multiprocess>=0.70", "billiard>=4.2"]


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Checkout:
    return Checkout(path=copy_tree(tmp_path_factory.mktemp("environment") / "checkout"))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> list[Path]:
    """Packages that bring data for sys.prefix, a command, and a module of the standard library's name."""
    folder = tmp_path_factory.mktemp("wheels")
    data = {
        "thing/__init__.py": "",
        "thing-1.0.data/data/share/thing/words.txt": "some words",
        "thing-1.0.data/data/etc/thing/deep/er/conf": "setting",
        "colorsys.py": "raise RuntimeError('the standard library comes first')",
    }
    commands = entry_points("thing", "[console_scripts]\nthing-tool = thing:__doc__.__class__\n")
    return [wheel(folder, "thing", data, extra=commands), wheel(folder, "later", {"later.py": "VALUE = 5"})]


@pytest.fixture(scope="session")
def programs(place, wheels):
    """The same program in each kind of bundle: ``programs(kind)``."""
    done: dict[str, Path] = {}

    def build(kind: str) -> Path:
        if kind in done:
            return done[kind]
        folder = place.path / "projects" / kind / "probe"
        folder.mkdir(parents=True)
        text = PROGRAM.read_text() + ("\n#" + "x" * 100) * 400 * (kind == "long")
        name = "probes" if kind == "commands" else "probe"  # the name of a command would choose it
        words = ["--runtime", "host", "--profile", "dev", "--target", GNU, "--name", name]
        if kind in ("command", "commands"):
            (folder / "pkg").mkdir()
            (folder / "pkg/__init__.py").touch()
            (folder / "pkg/main.py").write_text(text)
            (folder / "own.txt").write_text("own words")
            (folder / "pyproject.toml").write_text(project(kind))
        elif kind == "module":
            (folder / "__main__.py").write_text(text)
        else:
            (folder / "probe.py").write_text(text)
            words += ["--entry", "probe.py", *(["--no-sources"] if kind == "sourceless" else [])]
        if kind not in ("command", "commands"):
            (folder / "requirements.txt").write_text("\n".join(["pip", wheels[0].as_uri(), *PARALLEL]) + "\n")
        out = place.path / "dist" / kind / name
        place.pypack("build", str(folder), *words, "-o", str(out))
        done[kind] = out
        return out

    def project(kind: str) -> str:
        needs = json.dumps(["pip", f"thing @ {wheels[0].as_uri()}", *PARALLEL])
        more = "probe-two = 'pkg.main:second'\n" if kind == "commands" else ""
        return (
            "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
            f"[project]\nname = 'probe'\nversion = '1.0'\ndependencies = {needs}\n"
            f"[project.scripts]\nprobe = 'pkg.main:main'\n{more}"
            "[tool.hatch.build.targets.wheel]\npackages = ['pkg']\n"
            "shared-data = {'own.txt' = 'share/thing/own.txt'}\n"
            "[tool.hatch.metadata]\nallow-direct-references = true\n"
        )

    return build


@pytest.fixture(scope="session")
def venv(tmp_path_factory, wheels) -> Path:
    """The virtual environment that bundles are compared with."""
    folder = tmp_path_factory.mktemp("venv") / "env"
    subprocess.run([shutil.which("uv"), "venv", "-q", "--python", sys.executable, folder], check=True)
    install = ["uv", "pip", "install", "-q", "--python", folder, "pip", wheels[0], *PARALLEL]
    subprocess.run(install, check=True)
    return folder / "bin/python"


@pytest.fixture
def told(programs, tmp_path):
    """Start a bundle; return what it tells as JSON."""

    def call(kind: str, *words: str, env: dict[str, str] | None = None, **more):
        own = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache"), **(env or {})}
        limited = ["prlimit", "--nproc=2000", "timeout", "120", programs(kind)]
        first = ["probe"] if kind == "commands" and not words[0].startswith("probe") else []
        done = run([*limited, *first, *words], env=own, **more)
        assert done.code == 0, done.text
        return json.loads(done.out.splitlines()[-1])

    return call


def plain(venv, *words: str, env: dict[str, str] | None = None, cwd: Path | None = None):
    done = run([venv, PROGRAM, *words], env={**os.environ, **(env or {})}, cwd=cwd)
    assert done.code == 0, done.text
    return json.loads(done.out.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_pools_of_every_kind(told, kind):
    """Workers import the program's main module: from a file that says what a console script says."""
    found = told(kind, "pools")
    assert found.pop("main") == 1, "the program itself runs once"
    assert set(found) >= {
        "multiprocessing spawn",
        "multiprocessing forkserver",
        "futures spawn",
        "loky",
        "billiard spawn",
    }
    assert all(rows == [1, 4, 9] for rows in found.values()), found


@pytest.mark.parametrize("kind", ["script", "command"])
def test_what_a_program_sees(told, venv, kind):
    ours, theirs = told(kind, "seen"), plain(venv, "seen")
    for key in ("flags", "main", "spec", "loader", "depth", "names", "child flags", "enable user site", "child"):
        assert ours[key] == theirs[key], key
    prefix = Path(ours["prefix"])
    assert prefix.parent.name == "apps"
    assert ours["base prefix"] != ours["prefix"]
    assert ours["scheme"] == theirs["scheme"]
    assert Path(ours["purelib"]) == prefix / f"lib/{MINOR}/site-packages"
    assert ours["site packages"][0] == ours["purelib"]
    assert any(Path(each, "thing").is_dir() for each in ours["site packages"])
    assert ours["colorsys"].startswith(ours["base prefix"])
    assert ours["data"] == theirs["data"] == ["some words", "setting"]
    if kind == "command":  # its own wheel brings data into a folder that a package's has too
        assert (prefix / "share/thing/own.txt").read_text() == "own words"
    assert "thing-tool" in ours["scripts"]
    assert ours["source"], "inspect finds the program's source"


RUNNING = {
    "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "latin-1:replace", "PYTHONUTF8": "0", "PYTHONDEVMODE": "1",
    "PYTHONFAULTHANDLER": "1", "PYTHONTRACEMALLOC": "3", "PYTHONWARNINGS": "error::UserWarning",
    "PYTHONBREAKPOINT": "builtins.print", "PYTHONHASHSEED": "7", "PYTHONNODEBUGRANGES": "1", "PYTHONOPTIMIZE": "1",
    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONASYNCIODEBUG": "1", "PYTHONINTMAXSTRDIGITS": "700", "PYTHONNOUSERSITE": "1",
    "PYTHONPYCACHEPREFIX": "@/nonexistent", "PYTHONUSERBASE": "@/nonexistent", "PYTHONVERBOSE": "",
}  # fmt: skip
CHOOSING = {
    "PYTHONPATH": "@", "PYTHONHOME": "@/nonexistent", "PYTHONPLATLIBDIR": "nonexistent", "PYTHONSAFEPATH": "1",
    "PYTHONEXECUTABLE": "@/nonexistent", "PYTHONSTARTUP": "@/fakemodule.py", "__PYVENV_LAUNCHER__": "@/nonexistent",
}  # fmt: skip


@pytest.mark.parametrize("name", RUNNING)
def test_a_variable_that_says_how_python_runs_counts(told, venv, name, tmp_path):
    env = {"LC_ALL": "C.UTF-8", name: RUNNING[name].replace("@", str(tmp_path))}
    here = tmp_path / "here"  # Python makes the folders that variables name
    here.mkdir()
    ours, theirs = told("script", "running", env=env, cwd=here), plain(venv, "running", env=env, cwd=here)
    assert ours == theirs
    assert [*here.iterdir()] == []


@pytest.mark.parametrize("name", CHOOSING)
def test_a_variable_that_chooses_code_counts_for_nothing(told, tmp_path, name):
    (tmp_path / "fakemodule.py").write_text("")
    (tmp_path / "json").mkdir()
    (tmp_path / "json/__init__.py").write_text("raise RuntimeError('by PYTHONPATH')")
    value = CHOOSING[name].replace("@", str(tmp_path))
    here = tmp_path / "here"
    here.mkdir()
    found = told("script", "choosing", name, env={name: value}, cwd=here)
    assert [*here.iterdir()] == []
    assert found["fake"] is False
    assert found["variable"] == value, "it is passed on as it is"
    assert found["prefix"] == "apps"
    assert name == "PYTHONPATH" or found["child"] == [0, "thing"]


def test_a_child_sees_the_path_that_its_parent_gives_it(told, tmp_path):
    (tmp_path / "fakemodule.py").write_text("NAME = 'given'")
    assert told("script", "given", str(tmp_path)) == [0, "given"]


@pytest.mark.parametrize("way", ["executable and original words", "executable and words", "words", "own process"])
@pytest.mark.parametrize("kind", ["script", "command", "module", "sourceless"])
def test_a_program_restarts_itself(told, kind, way):
    assert told(kind, "restart", way, "a b", env={"COUNT": "0"}) == ["3", ["restart", way, "a b"]]


def test_one_of_several_commands_restarts_itself(told):
    for way in ("executable and original words", "words"):
        assert told("commands", "probe-two", "restart", way, env={"COUNT": "0"}) == ["3", ["restart", way]]


def test_a_standard_environment(place, tmp_path):
    (tmp_path / "tool.py").write_text(
        "def run():\n import own, sys; print(own.__file__, sys.path[0].endswith('app'))\nrun()"
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more/own.py").write_text("")
    for value, code in (("standard", 0), ("isolated", 1)):
        out = tmp_path / value
        words = ["--entry", str(tmp_path / "tool.py"), "--runtime", "host", "--profile", "dev", "--target", GNU]
        place.pypack("build", *words, "--environment", value, "-o", str(out))
        env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path / "more")}
        done = run([out], env=env)
        assert done.code == code, done.text
        if code:
            assert done.err.endswith("ModuleNotFoundError: No module named 'own'\n")
        else:
            assert done.out == f"{tmp_path}/more/own.py True\n"


def test_what_pip_installs_is_seen_by_the_program_and_its_children(told, wheels, programs, tmp_path):
    found = told("command", "install", str(wheels[1]))
    assert found == {"pip": "", "itself": 5, "child": [0, "5"], "below prefix": True}
    assert told("command", "imported", "later") == 5, "it is there at the next start"
    env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache")}
    assert run([programs("command")], env={**env, "PYPACK_SELF": "check"}).code == 0, "no layer was changed"


@pytest.mark.parametrize("way", ["raise", "exit"])
def test_what_was_printed_before_comes_before(programs, venv, tmp_path, way):
    env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "cache")}
    run([programs("script"), "order", "none"], env=env)
    together = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    ours, theirs = (
        subprocess.run([*words, "order", way], env=env, check=False, **together).stdout
        for words in ([programs("script")], [venv, PROGRAM])
    )
    assert [line for line in ours.splitlines() if "File" not in line] == [
        line for line in theirs.splitlines() if "File" not in line
    ]
    assert ours.startswith("working on it\n")
