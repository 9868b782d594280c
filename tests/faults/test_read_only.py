"""Layers are shared: nobody writes into them, and what is not of the bundle is named and never removed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pypack import cli
from tests.faults.test_cache import NOBODY, layer_with, need_root, nothing_in_tmp, run
from tests.faults.test_cache_life import age
from tests.support.bundles import File, bundle, write
from tests.support.launchers import environment, launcher, recipe

SITE = "site-packages"


@pytest.fixture
def user(program):
    """Another user than root, with a program and a cache of their own: ``(words for run, hello, cache)``."""
    need_root("another user")
    folder = Path("/tmp") / f"pypack-test-user-{os.getpid()}"
    folder.mkdir(mode=0o755)
    os.chown(folder, NOBODY, NOBODY)
    yield {"user": NOBODY, "group": NOBODY, "extra_groups": ()}, write(folder / "hello", program), folder / "cache"
    subprocess.run(["rm", "-rf", folder], check=True)


def modes(folder: Path) -> set[int]:
    """Of all folders and files below, and of the folder itself."""
    found = [folder, *(each for each in folder.rglob("*") if not each.is_symlink())]
    return {each.lstat().st_mode & 0o777 for each in found}


def test_modes(hello, cache):
    assert run([hello], environment(cache)).returncode == 0
    for layer in (cache / "layers").iterdir():
        assert modes(layer) <= {0o444, 0o555}, layer
        assert all(each.stat().st_mode & 0o777 == 0o555 for each in [layer, *layer.rglob("*")] if each.is_dir())


def test_a_user_cannot_write_and_can_clean(user):
    """A write fails where it happens; all that removes and replaces copes with it."""
    who, hello, cache = user
    assert run([hello], environment(cache), **who).returncode == 0
    package = layer_with(cache, SITE) / SITE / "package"
    for words in (["touch", package / "new"], ["sh", "-c", f"echo >> '{package}/__init__.py'"]):
        done = run(words, environment(None), **who)
        assert done.returncode != 0
        assert "Permission denied" in done.stderr
    (package / "__init__.py").chmod(0o644)
    (package / "__init__.py").write_text("z = 3\n")
    done = run([hello], environment(cache, PYPACK_SELF="verify"), **who)
    assert "deps     was damaged in the cache, unpacked again" in done.stdout
    assert package.joinpath("__init__.py").read_bytes() == recipe().deps[0].data
    assert modes(layer_with(cache, SITE)) == {0o444, 0o555}
    python = layer_with(cache, "bin") / "bin/python3.13"
    python.parent.chmod(0o755)
    python.unlink()
    assert run([hello], environment(cache), **who).returncode == 0, "a layer without its sentinel gives way"
    nothing_in_tmp(cache)
    done = run([hello], environment(cache, PYPACK_SELF="clean"), **who)
    assert (done.returncode, done.stdout.count("removed")) == (0, 4), done.stderr
    assert not [each for each in cache.rglob("*") if each.name in {"package", "boot.pyc"}]


def test_a_user_tidies_up_what_is_old(user, tmp_path):
    who, hello, cache = user
    assert run([hello], environment(cache), **who).returncode == 0
    age(cache, "hello", 61)
    other = write(hello.parent / "other", bundle(launcher(), recipe(name="other", runtime=recipe().runtime[:-1])))
    assert run([other], environment(cache), **who).returncode == 0
    nothing_in_tmp(cache)
    assert len(list((cache / "layers").iterdir())) == 3
    assert not list(cache.glob("apps/*/bin/hello"))


def test_pruning_as_a_user(user, tmp_path):
    """``pypack cache --prune`` removes read-only folders too."""
    who, hello, cache = user
    assert run([hello], environment(cache), **who).returncode == 0
    age(cache, "hello", 50)
    process = os.fork()
    if process == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.environ.update(PYPACK_CACHE_DIR=os.fspath(cache), HOME=os.fspath(hello.parent))
        os._exit(cli.main(["cache", "--prune", "30"]))
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert not any((cache / "layers").iterdir())
    assert not any((cache / "apps").iterdir())
    nothing_in_tmp(cache, 0)


def plant(layer: Path, path: str, content: str = "planted") -> Path:
    """Put a file where only root could; the folders are as they were afterwards."""
    for above in (layer / path).relative_to(layer).parents:
        (layer / above).mkdir(exist_ok=True)
        (layer / above).chmod(0o755)
    (layer / path).write_text(content)
    return layer / path


@pytest.mark.parametrize("path", [f"{SITE}/json/__init__.py", f"{SITE}/package/extra.py", "top.py"])
def test_a_planted_module_is_damage(hello, cache, path):
    run([hello], environment(cache))
    layer = layer_with(cache, SITE)
    plant(layer, path)
    done = run([hello], environment(cache, PYPACK_SELF="check"))
    assert done.returncode == 111
    named = path.removesuffix("/__init__.py")
    assert f"{named} is not of the bundle" in done.stderr
    inode = layer.stat().st_ino
    done = run([hello], environment(cache, PYPACK_SELF="verify"))
    assert done.returncode == 0
    kept = cache / "kept" / f"{layer.name}-1"
    assert f"deps     {named} is not of the bundle, moved to {kept}" in done.stdout
    assert (kept / path).read_text() == "planted"
    assert not (layer / named).exists()
    assert layer.stat().st_ino == inode, "what is of the bundle was sound"
    assert run([hello], environment(cache, PYPACK_SELF="check")).returncode == 0
    assert run([hello], environment(cache, PYPACK_SELF="clean")).returncode == 0
    assert (kept / path).exists()


def test_what_is_foreign_is_kept_when_the_layer_is_damaged_too(hello, cache):
    run([hello], environment(cache))
    for number in (1, 2):
        layer = layer_with(cache, "boot.pyc")
        plant(layer, "app/data.db", f"precious {number}")
        (layer / "boot.pyc").write_text("toob")
        done = run([hello], environment(cache, PYPACK_SELF="verify"))
        assert "was damaged in the cache, unpacked again" in done.stdout
        assert (cache / "kept" / f"{layer.name}-{number}/app/data.db").read_text() == f"precious {number}"
        assert run([hello], environment(cache, PYPACK_SELF="check")).returncode == 0


def test_what_python_writes_for_root_is_no_damage(hello, cache):
    """No mode stops root's Python from keeping bytecode: it is no fault of the program, and verify moves it."""
    run([hello], environment(cache))
    layer = layer_with(cache, SITE)
    plant(layer, f"{SITE}/package/__pycache__/x.pyc")
    assert run([hello], environment(cache, PYPACK_SELF="check")).returncode == 0
    done = run([hello], environment(cache, PYPACK_SELF="verify"))
    assert "__pycache__ is not of the bundle" in done.stdout


def test_what_tools_keep_beside_our_bytecode_is_no_damage_but_bytecode_is(tmp_path, cache):
    """Numba keeps compiled functions in a module's ``__pycache__``; foreign bytecode there could shadow a module."""
    members = [File(path="lib/__pycache__/m.pyc", data=b"m"), *recipe().runtime]
    program = write(tmp_path / "noted", bundle(launcher(), recipe(name="noted", runtime=members)))
    assert run([program], environment(cache)).returncode == 0
    layer = layer_with(cache, "lib/__pycache__/m.pyc")
    plant(layer, "lib/__pycache__/m.f-1.py313.nbi")
    assert run([program], environment(cache, PYPACK_SELF="check")).returncode == 0
    planted = plant(layer, "lib/__pycache__/evil.pyc")
    done = run([program], environment(cache, PYPACK_SELF="check"))
    assert done.returncode == 111
    assert "lib/__pycache__/evil.pyc is not of the bundle" in done.stdout + done.stderr
    assert run([program], environment(cache, PYPACK_SELF="verify")).returncode == 0
    assert not planted.exists()


def test_a_user_verifies(user):
    """The folders of a layer are closed to its owner as well."""
    who, hello, cache = user
    assert run([hello], environment(cache), **who).returncode == 0
    layer = layer_with(cache, SITE)
    planted = plant(layer, f"{SITE}/package/deep/mine.py")
    for each in (planted, planted.parent):
        os.chown(each, NOBODY, NOBODY)
    for each in (planted.parent, planted.parents[1], planted.parents[2], layer):
        each.chmod(0o555)
    done = run([hello], environment(cache, PYPACK_SELF="verify"), **who)
    assert done.returncode == 0, done.stderr
    assert f"{SITE}/package/deep is not of the bundle" in done.stdout
    assert modes(layer) == {0o444, 0o555}
