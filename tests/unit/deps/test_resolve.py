"""Bad input to the resolution and to a lock: one line of ours above uv's explanation, or a warning."""

from __future__ import annotations

import hashlib
import tomllib

import pytest
from tests.support.wheels import wheel

from pypack.base import targets
from pypack.deps import lock, markers, uv_command
from pypack.download import fetch
from pypack.errors import FetchError, InputError, PypackError, StepError
from pypack.plan.locks import Locks
from pypack.project import program
from pypack.steps.step import Settings

TARGET = targets.load()["linux-gnu-x86_64"]
PYTHON = "3.13.5"


@pytest.fixture
def resolved(tmp_path):
    """Resolve a requirements.txt for one target: ``resolved("aaa<2")`` returns the lock, ``.said`` what was told."""

    def call(*lines, name="requirements.txt"):
        folder = tmp_path / "app"
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text("")
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
        call.said = []
        locks, settings = Locks(build=tmp_path / "build"), Settings(say=call.said.append)
        file, _ = locks.current(program.load(folder), TARGET, PYTHON, settings)
        call.said = [line for line in call.said if not line.startswith("resolve ")]
        return tomllib.loads(file.read_text())

    return call


def refused(call, *lines, kind=StepError, **more) -> list[str]:
    """Return the lines of the error."""
    with pytest.raises(kind) as caught:
        call(*lines, **more)
    return str(caught.value).splitlines()


def test_conflicting_requirements(index, resolved):
    index.add("aaa", "1.0")
    index.add("aaa", "2.0")
    told = refused(resolved, "aaa<2", "aaa>=2")
    assert told[0].endswith(f"requirements.txt cannot be resolved for linux-gnu-x86_64, Python {PYTHON}:")
    assert "unsatisfiable" in "".join(told[1:])
    assert told[-2] == "  -> the requirements contradict each other: loosen one of those that are named"


LINE = "{}==1.0 \\\n    --hash=sha256:{} \\\n    --hash=sha256:{}  # of two files"


def test_hashes_of_requirements_choose_among_the_files(index, resolved):
    index.add("aaa", "1.0", "py3-none-any", "cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-win_amd64")
    index.add("bbb", "1.0")
    pure, native, _ = (index.sha256(file) for file in index.files if file.startswith("aaa"))
    (aaa, bbb) = resolved(LINE.format("aaa", pure, "0" * 64), "bbb")["packages"]
    assert [row["hashes"]["sha256"] for row in aaa["wheels"]] == [pure]
    assert bbb["wheels"]
    table = resolved(LINE.format("Aaa", native, pure))
    (chosen,) = lock.choose_wheels(table, TARGET, "3.13", static=False)
    assert chosen.pin.sha256 == native


def test_hashes_of_requirements_that_no_file_has(index, resolved):
    index.add("aaa", "1.0")
    index.add("bbb", "1.0")
    told = refused(resolved, LINE.format("aaa", "0" * 64, "1" * 64), LINE.format("bbb", "0" * 64, "1" * 64))
    assert "requirements.txt are not those of the files that the index has" in told[0]
    assert told[1:3] == ["  aaa 1.0", "  bbb 1.0"]
    address = f"http://{index.host}/files/aaa-1.0-py3-none-any.whl"
    told = refused(resolved, f"aaa @ {address} --hash=sha256:{'0' * 64}")
    assert told[0].endswith("requirements.txt are not those of the files that the index has:")
    assert told[1] == "  aaa 1.0"


def test_hashes_of_a_wheel_that_is_named_by_its_path(resolved, tmp_path):
    path = wheel(tmp_path, "aaa", {"aaa.py": ""})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (package,) = resolved(f"{path} --hash=sha256:{digest}")["packages"]
    assert package["archive"]["hashes"]["sha256"] == digest
    told = refused(resolved, f"{path} --hash=sha256:{'0' * 64}")
    assert told[0].endswith("requirements.txt are not those of the files that the index has:")
    assert told[1] == "  aaa 1.0"


def test_a_file_that_is_not_the_one_of_the_lock(index, resolved):
    index.add("aaa", "1.0")
    table = resolved("aaa")
    (chosen,) = lock.choose_wheels(table, TARGET, "3.13", static=False)
    index.files["aaa-1.0-py3-none-any.whl"] += b"evil"
    with pytest.raises(FetchError, match="wrong file, deleted"):
        fetch.fetch(chosen.pin, settings=Settings(say=lambda _: None))
    assert fetch.cached(chosen.pin) is None


def test_a_release_that_was_withdrawn(index, resolved):
    index.add("aaa", "1.0", yanked="it eats files")
    index.add("aaa", "0.9")
    assert resolved("aaa")["packages"][0]["version"] == "0.9"
    assert resolved.said == []
    assert resolved("aaa==1.0")["packages"][0]["version"] == "1.0", "who names it exactly gets it, as with pip"
    assert resolved.said == ['`aaa==1.0` is yanked (reason: "it eats files")']


def test_a_package_that_needs_a_newer_python(index, resolved):
    index.add("aaa", "1.0", python=">=3.99")
    told = refused(resolved, "aaa")
    assert "3.99" in "".join(told)
    assert "change the requirement or the Python version" in told[-2]


def test_wheels_for_another_python_or_platform_only(index, resolved):
    index.add("aaa", "1.0", "cp312-cp312-manylinux_2_17_x86_64", "cp313-cp313-win_amd64")
    told = refused(resolved, "aaa")
    assert "a package has no wheel for this target" in told[-2]
    table = {"packages": [{"name": "aaa", "version": "1.0", "wheels": [{"name": file} for file in index.files]}]}
    with pytest.raises(StepError, match=r"linux-gnu-x86_64 exist for another Python only \(cp312-cp312\)"):
        lock.choose_wheels(table, TARGET, "3.13", static=False)


def test_a_cycle_of_groups(tmp_path):
    (tmp_path / "main.py").write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]\n'
    )
    with pytest.raises(InputError) as caught:
        program.load(tmp_path, groups=["a"])
    told = str(caught.value).splitlines()
    assert "pyproject.toml cannot be used" in told[0]
    assert any("dependency-groups.a" in line and "yclic" in line for line in told), told


LOCK = 'lock-version = "1.0"\ncreated-by = "somebody"'
AAA = '[[packages]]\nname = "aaa"\nversion = "1"\ndirectory = { path = "aaa" }\n'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (('lock-version = "1.0"', "packages = []"), "Missing required value in 'created-by'"),
        ((LOCK, AAA.replace('name = "aaa"\n', "")), "Missing required value in 'packages[0].name'"),
        ((LOCK, AAA.replace('"aaa"\nv', '"Aaa"\nv')), "Name 'Aaa' is not normalized in 'packages[0].name'"),
        ((LOCK, AAA, "wheels = 3"), "Unexpected type int (expected Sequence) in 'packages[0].wheels'"),
    ],
)
def test_a_lock_that_is_not_as_the_specification_says(resolved, lines, told):
    found = refused(resolved, *lines, name="pylock.toml", kind=InputError)
    assert found[0].endswith(f"pylock.toml is not a lock: {told}")


def test_a_lock_for_another_python(resolved):
    for line, told in (
        ('requires-python = ">=3.99"', "it is for Python >=3.99"),
        ("environments = [\"sys_platform == 'win32'\"]", "it is for sys_platform == 'win32'"),
        (f'{AAA}requires-python = "<3"', "aaa 1 needs Python <3"),
    ):
        more = line if "packages" in line else f"{line}\npackages = []"
        lines = refused(resolved, LOCK, more, name="pylock.toml", kind=InputError)
        assert lines[0].endswith(f"pylock.toml does not serve linux-gnu-x86_64, Python {PYTHON}:")
        assert lines[1].strip() == told


def test_passwords_in_addresses_get_into_no_lock(index, resolved):
    index.add("aaa", "1.0")
    index.login = "bob:s3cr@t"
    address = f"http://bob:s3cr%40t@{index.host}/files/aaa-1.0-py3-none-any.whl"
    resolved(f"aaa @ {address}")
    table = resolved(f"aaa @ {address}")
    assert table["packages"][0]["archive"]["url"] == f"http://{index.host}/files/aaa-1.0-py3-none-any.whl"
    assert uv_command.without_secrets("http://a:p@ss@h/x@1 http://h?m=a@b") == "http://h/x@1 http://h?m=a@b"


def test_sources_of_a_private_index(index, resolved, monkeypatch):
    """What has no wheel is looked into when it is resolved, and fetched for that."""
    index.add_source("aaa", "1.0")
    index.login = "bob:s3cr@t"
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://bob:s3cr%40t@{index.host}/simple")
    (package,) = resolved("aaa")["packages"]
    assert package["tool"]["pypack"]["native"] is False
    login = ("bob", "s3cr@t")
    _, (source,) = lock.choose({"packages": [package]}, TARGET, "3.13", static=False, login=lambda _: login)
    assert source.pin.login(source.pin.urls[0]) == login
    assert "s3cr" not in repr(source)


def test_a_wrong_password_is_told_without_it(index, resolved, monkeypatch):
    index.add("aaa", "1.0")
    index.login = "bob:right"
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://bob:wr0ng@{index.host}/simple")
    told = "\n".join(refused(resolved, "aaa", kind=PypackError))
    assert "401 Unauthorized" in told
    assert "wr0ng" not in told


def test_markers_are_those_of_the_target(index, resolved):
    for name in ("aaa", "bbb", "ccc"):
        index.add(name, "1.0")
    table = resolved("aaa; sys_platform == 'win32'", "bbb; platform_machine == 'x86_64'", "ccc; python_version < '3'")
    assert [row["name"] for row in markers.narrowed(table, TARGET, PYTHON)["packages"]] == ["bbb"]
