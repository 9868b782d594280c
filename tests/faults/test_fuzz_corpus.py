"""The corpus of ``nox -s fuzz``, given once to each reader of the launcher under gcc's sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fuzz import building, corpus, seeds
from tests.support.launchers import build_folder, sanitized

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def replay() -> Path:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not here: the corpus was NOT replayed")
    sanitized()  # its zstd serves
    return building.replayer(building.REPLAY, build_folder() / "replay", build_folder() / "zstd-gcc.o")


@pytest.mark.parametrize("name", building.HARNESSES)
def test_corpus(replay, tmp_path, name):
    files = corpus.unpack(name, tmp_path / name)
    assert files, f"tests/fuzz/corpus/{name}.zip is missing"
    for each in seeds.seeds()[name]:
        corpus.add(tmp_path / name, each)
    given = sorted((tmp_path / name).iterdir())
    done = subprocess.run([replay, name, *given], capture_output=True, text=True, errors="replace", check=False)
    assert (done.returncode, done.stdout) == (0, f"{len(given)}\n"), done.stderr


@pytest.mark.parametrize("name", ["bundle", "trailer"])
def test_every_cut_of_a_bundle(replay, tmp_path, name):
    """Whatever is left of a file, the reader answers with a code of its own."""
    whole = min(seeds.seeds()[name], key=len)
    for size in range(len(whole)):
        (tmp_path / f"{size}").write_bytes(whole[:size])
    given = list(tmp_path.iterdir())
    done = subprocess.run([replay, name, *given], capture_output=True, text=True, errors="replace", check=False)
    assert (done.returncode, done.stdout) == (0, f"{len(given)}\n"), done.stderr
