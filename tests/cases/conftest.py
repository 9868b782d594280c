"""Real builds: checkouts of this tree, and the bundles that they make, started with an empty cache of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import tls

HERE = Path(__file__).parents[2]
PARTS = ("SConstruct", "site_scons", "runtimes", "stubs", "examples", "pyproject.toml", "README.md", "LICENSE")
GNU = "linux-gnu-x86_64"
MUSL = "linux-musl-x86_64"
HELLO = ("app=examples/hello", "profile=dev", "runtime=host")
"""Words for scons that build the smallest program."""
_STEP = re.compile(r"^([a-z-]+) +(?:\.pypack|dist)/", re.M)


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended: exit code, and what it printed on both channels."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run(words, *, cwd=None, env=None, **more) -> Done:
    done = subprocess.run(
        [os.fspath(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, encoding="utf-8", errors="surrogateescape", **more,
    )  # fmt: skip
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A folder with a copy of this tree. ``env`` is the environment of its commands."""

    path: Path
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    python: str = sys.executable

    def scons(self, *words: str, ok: bool = True) -> Done:
        done = run([self.python, "-m", "SCons", *words], cwd=self.path, env=self.env)
        assert not ok or done.code == 0, done.text
        return done

    def pypack(self, *words: str, ok: bool = True, cwd: Path | None = None) -> Done:
        env = {**self.env, "PYTHONPATH": str(self.path / "site_scons")}
        done = run([self.python, "-m", "pypack", *words], cwd=cwd or self.path, env=env)
        assert not ok or done.code == 0, done.text
        return done

    def bundle(self, name: str, target: str = GNU) -> Path:
        return self.path / "dist" / target / name


def copy_tree(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for part in PARTS:
        source = HERE / part
        if source.is_dir():
            # bytecode is good in a copy too; what is just being written has another ending
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("*.pyc.*"))
        elif source.exists():
            shutil.copy2(source, folder / part)
    return folder


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    """A fresh checkout; downloads and the build cache are those of the person who runs the tests."""
    return Checkout(path=copy_tree(tmp_path / "checkout"))


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Build an example once for all tests: ``built("greet", GNU)`` gives the checkout's bundle."""
    place = Checkout(path=copy_tree(tmp_path_factory.mktemp("built") / "checkout"))
    done: dict[tuple[str, str], Path] = {}

    def build(name: str, target: str = GNU) -> Path:
        if (name, target) not in done:
            place.scons(f"app=examples/{name}", f"target={target}", *_runtime(target))
            done[name, target] = place.bundle(name, target)
        return done[name, target]

    return build


def _runtime(target: str) -> list[str]:
    """Code hosts are out of reach for the tests, so the choice is not left to a probe."""
    return ["runtime=host"] if target == GNU else []


@pytest.fixture
def start(tmp_path):
    """Start a bundle with a cache of its own: ``start(path, "--name", "Ada")``."""

    def call(bundle: Path | str, *words: str, env: dict[str, str] | None = None, **more) -> Done:
        own = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / "bundle-cache"), **(env or {})}
        return run([bundle, *words], env=own, **more)

    return call


@pytest.fixture(scope="session")
def https_server(tmp_path_factory):
    """A local HTTPS server: ``(address, file of the authority that signed its certificate)``."""
    with tls.servers(tmp_path_factory.mktemp("tls")) as running:
        yield running.address, running.authority


@pytest.fixture(scope="session")
def probes(tmp_path_factory):
    """Build a program that does what its first argument says (tests/support/probe.py) once for each way of starting."""
    place = Checkout(path=copy_tree(tmp_path_factory.mktemp("probe") / "checkout"))
    done: dict[str, Path] = {}

    def build(launch: str) -> Path:
        if launch not in done:
            folder = place.path / launch / "probe"
            folder.mkdir(parents=True)
            shutil.copyfile(HERE / "tests/support/probe.py", folder / "probe.py")
            told = "    print('run as', __name__, sys.argv[1:])"
            (folder / "helper.py").write_text(
                f'import sys\nWORD = "helper\'s word"\nif __name__ == "__main__":\n{told}\n'
            )
            (folder / "requirements.txt").write_text("idna\n")
            (folder / "pyproject.toml").write_text(f'[tool.pypack]\nlaunch = "{launch}"\n')
            out = f"out={place.path}/dist/{launch}/probe"
            place.scons(f"app={folder}", f"target={GNU}", *_runtime(GNU), "profile=dev", out)
            done[launch] = place.path / "dist" / launch / "probe"
        return done[launch]

    return build


@pytest.fixture(scope="session")
def probe(probes) -> Path:
    """That program, started by exec; it has a package that has a command."""
    return probes("exec")


def steps(done: Done) -> list[str]:
    """Return the actions of the steps that scons has run."""
    return _STEP.findall(done.out)


@pytest.fixture
def own_cache(checkout, tmp_path):
    """Words for scons that give it a build cache of its own."""
    return (*HELLO, f"cache={tmp_path / 'cache'}")
