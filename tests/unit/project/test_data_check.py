"""Where a program writes beside its own files."""

from __future__ import annotations

import pytest

from pypack.project import data_check

HEAD = """\
from pathlib import Path
import os, sqlite3, sys
HERE = Path(__file__).parent
DATA = os.path.join(HERE, 'data')
"""


@pytest.mark.parametrize(
    ("line", "is_named"),
    [
        ("(HERE / 'x').write_text('')", True), ("open(DATA, 'w')", True), ("open(DATA, mode='ab')", True),
        ("open(DATA)", False), ("open(DATA, 'rb')", False), ("(HERE / 'x').open('x')", True),
        ("(HERE / 'x').read_text()", False), ("os.makedirs(DATA, exist_ok=True)", True),
        ("sqlite3.connect(f'{HERE}/db')", True), ("(Path(sys.prefix) / 'x').mkdir()", True),
        ("open('x', 'w')", False), ("Path.home().joinpath('x').write_text('')", False), ("def broken(", False),
        ("with open(os.path.dirname(__file__) + '/log', 'a') as log: pass", True),
    ],
)  # fmt: skip
def test_a_write_beside_the_program_is_named(line, is_named):
    assert data_check.lines(f"{HEAD}{line}\n".encode()) == ([5] if is_named else [])
