"""Hashes of a requirements file against the files that a lock names."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pypack.deps import hashes
from pypack.errors import StepError

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
FILE = Path("requirements.txt")


def file(name: str, digest: str) -> str:
    return f'{{ url = "https://x.test/{name}", size = 1, hashes = {{ sha256 = "{digest}" }} }}'


WHEELS = f"""lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "my-tool"
version = "1.0"
sdist = {file("my_tool-1.0.tar.gz", C)}
wheels = [
    {file("my_tool-1.0-cp312-cp312-win_amd64.whl", A)},
    {file("my_tool-1.0-cp313-cp313-win_amd64.whl", B)},
]

[[packages]]
name = "other"
version = "2"
wheels = [{file("other-2-py3-none-any.whl", C)}]
"""


def held(text: str, *lines: str) -> list[dict]:
    return tomllib.loads(hashes.enforce_hashes(text, FILE, lines))["packages"]


def digests(package: dict) -> list[str]:
    files = [*package.get("wheels", []), *(package[key] for key in ("sdist", "archive") if key in package)]
    return [each["hashes"]["sha256"] for each in files]


def test_without_hashes_nothing_changes():
    assert hashes.enforce_hashes(WHEELS, FILE, ["my-tool==1.0", "other"]) == WHEELS


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"My_Tool==1.0 --hash=sha256:{A}", [A]),
        (f"my.tool[x]==1.0 ; python_version > '3' --hash sha256:{B.upper()} --hash=sha256:{C}", [B, C]),
        (f"./wheels/my_tool-1.0-cp313-cp313-win_amd64.whl --hash=sha256:{B}", [B]),
        (f"my-tool @ https://x.test/my_tool-1.0.tar.gz --hash=sha256:{C} --hash=sha512:{A}", [C]),
    ],
)
def test_only_files_with_a_given_hash_are_left(line, left):
    mine, other = held(WHEELS, line, "other")
    assert digests(mine) == left
    assert digests(other) == [C]  # it was given none


def test_what_is_left_stays_as_it_is_written():
    found = hashes.enforce_hashes(WHEELS, FILE, [f"my-tool==1.0 --hash=sha256:{A}"])
    due = WHEELS.splitlines(keepends=True)
    assert found.splitlines(keepends=True) == [row for row in due if (C not in row and B not in row) or "other" in row]


def test_an_archive_is_compared_too():
    text = f'lock-version = "1.0"\n\n[[packages]]\nname = "aaa"\narchive = {file("aaa-1.zip", A)}\n'
    assert digests(held(text, f"aaa @ https://x.test/aaa-1.zip --hash=sha256:{A}")[0]) == [A]
    with pytest.raises(StepError, match=r"are not those of the files that the index has:\n  aaa\n"):
        held(text, f"aaa @ https://x.test/aaa-1.zip --hash=sha256:{B}")


def test_every_package_that_has_nothing_left_is_named():
    lines = [f"my-tool==1.0 --hash=sha256:{'d' * 64}", f"other==2 --hash=md5:{'0' * 32}"]
    with pytest.raises(StepError) as caught:
        held(WHEELS, *lines)
    assert str(caught.value).splitlines()[:3] == [
        "the hashes in requirements.txt are not those of the files that the index has:",
        "  my-tool 1.0",
        "  other 2",
    ]
