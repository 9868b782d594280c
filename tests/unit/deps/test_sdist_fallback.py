"""Which packages are taken from source: as few as can be, and those that a user names."""

from __future__ import annotations

import hashlib
import io
import itertools
import tarfile
import tomllib

import pytest

from pypack.deps import uv_command
from pypack.deps.build import sdist_fallback
from pypack.errors import FetchError, StepError
from pypack.steps.step import Settings


class Uv:
    """Stands for uv: ``sources`` can be resolved only as source, ``newer`` are sdists newer than a wheel."""

    def __init__(self, *, sources=(), newer=(), wheels=("plain",), broken=False):
        self.sources, self.newer, self.wheels, self.broken, self.asked = sources, newer, wheels, broken, []

    def __call__(self, words):
        self.asked.append(words)
        allowed = {name for flag, name in itertools.pairwise(words) if flag == "--no-binary"}
        strict = "--only-binary" in words
        if self.broken or (strict and set(self.sources) - allowed):
            raise StepError("no usable wheels" if strict else "conflict")
        bare = {*self.sources, *allowed, *(() if strict else self.newer)}
        rows = sorted({*self.wheels, *self.sources, *self.newer})
        return "".join(
            f'[[packages]]\nname = "{name}"\n{"" if name in bare else "wheels = [{ url = 1 }]"}\n' for name in rows
        )


def without_wheel(text):
    return [each["name"] for each in tomllib.loads(text)["packages"] if "wheels" not in each]


def test_wheels_alone_where_there_are_wheels():
    uv = Uv(newer=["fresh"])
    assert without_wheel(sdist_fallback.prefer_wheels(uv)) == []
    assert uv.asked == [["--only-binary", ":all:"]]


def test_source_only_of_what_has_no_wheel():
    uv = Uv(sources=["docopt"], newer=["fresh"])
    assert without_wheel(sdist_fallback.prefer_wheels(uv)) == ["docopt"]
    assert len(uv.asked) == 5  # wheels, anything, both from source, each of them by itself


def test_one_package_is_found_by_three_calls():
    uv = Uv(sources=["docopt"])
    assert without_wheel(sdist_fallback.prefer_wheels(uv)) == ["docopt"]
    assert uv.asked == [["--only-binary", ":all:"], [], ["--only-binary", ":all:", "--no-binary", "docopt"]]


def test_what_a_user_names_is_taken_from_source():
    uv = Uv()
    assert without_wheel(sdist_fallback.prefer_wheels(uv, forced=["plain"])) == ["plain"]
    assert uv.asked == [["--only-binary", ":all:", "--no-binary", "plain"]]


def test_nothing_is_built_where_that_is_forbidden():
    uv = Uv(sources=["docopt"])
    with pytest.raises(StepError, match="no usable wheels"):
        sdist_fallback.prefer_wheels(uv, build=False)
    assert len(uv.asked) == 1


def test_a_conflict_is_told_as_it_is_with_source_allowed():
    with pytest.raises(StepError, match="conflict"):
        sdist_fallback.prefer_wheels(Uv(broken=True))


def sdist(folder, name, **files):
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member, text in {"setup.py": "from setuptools import setup\nsetup()\n", **files}.items():
            info = tarfile.TarInfo(f"{name}/{member.replace('__', '/')}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def row(path, *, name, digest=""):
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    return (
        f'[[packages]]\nname = "{name}"\nversion = "1"\n'
        f'sdist = {{ path = "{path.name}", hashes = {{ sha256 = "{digest}" }} }}\n\n'
    )


def test_the_lock_says_which_sdists_look_native(tmp_path):
    pure, native = sdist(tmp_path, "a-1"), sdist(tmp_path, "b-1", **{"src__b.c": "int x;"})
    wheel = '[[packages]]\nname = "c"\nversion = "1"\nwheels = [{ path = "c-1-py3-none-any.whl" }]\n\n'
    text = f'lock-version = "1.0"\n\n{row(pure, name="a")}{wheel}{row(native, name="b")}'
    told = tomllib.loads(sdist_fallback.describe(text, tmp_path, Settings(say=lambda _: None)))
    looks = [each.get("tool", {}).get("pypack", {}).get("native") for each in told["packages"]]
    assert looks == [False, None, True]
    unusual = text.replace("[[packages]]", "[[ packages ]]")
    assert sdist_fallback.describe(unusual, tmp_path, Settings()) == unusual


def test_an_sdist_that_is_not_the_one_of_the_lock_is_refused(tmp_path):
    text = f'lock-version = "1.0"\n\n{row(sdist(tmp_path, "a-1"), name="a", digest="1" * 64)}'
    with pytest.raises(FetchError, match="SHA-256 mismatch"):
        sdist_fallback.describe(text, tmp_path, Settings(say=lambda _: None))


def test_what_uv_says_is_told_without_secrets():
    assert uv_command.without_secrets("from https://ada:pw@x.test/simple") == "from https://x.test/simple"
