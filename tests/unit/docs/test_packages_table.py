"""The table of tried packages: the manual shows it as it is, and each row has its program."""

from __future__ import annotations

from pathlib import Path

from tests.packages import table

HERE = Path(__file__).parents[3]


def test_the_manual_shows_the_table_as_it_is():
    text = (HERE / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert table.markdown() in text, f"put this into docs/dependencies.md:\n{table.markdown()}"


def test_each_package_has_a_program_and_is_required():
    programs = HERE / "tests" / "packages" / "programs"
    names = {package.name for package in table.PACKAGES}
    assert {path.stem for path in programs.glob("[a-z]*.py")} == names
    required = (programs / "requirements.txt").read_text(encoding="utf-8").split()
    assert names <= set(required)


def test_what_is_left_out_or_limited_is_in_the_table():
    known = {(package.name, target) for package in table.PACKAGES for target in table.TARGETS}
    assert set(table.LEFT_OUT) | set(table.LIMITS) <= known
    assert not set(table.LEFT_OUT) & set(table.LIMITS)
