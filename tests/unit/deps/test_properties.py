"""Requirements, inline metadata, globs of what stays out, and our table in locks, for any text that can stand there."""

from __future__ import annotations

import fnmatch
import posixpath
import tempfile
import tomllib
from pathlib import Path

import tomlkit
from hypothesis import assume, example, given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pypack.deps import hashes, lock_metadata, manifests, requirements
from pypack.deps.lock_metadata import LockedRuntime, LockMetadata, LockRequest
from pypack.formats import selection
from pypack.formats.image import ImageBuilder

# --- requirements -----------------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True)
SPECIFIERS = st.lists(st.tuples(st.sampled_from(["==", ">=", "<", "!=", "<=", ">"]), VERSIONS).map("".join), max_size=3)
MARKERS = st.sampled_from(["", "sys_platform == 'win32'", 'python_version < "3.12" and extra == "x"'])
SHA256 = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
BLANKS = st.sampled_from(["", " ", "  "])


@st.composite
def asked_for(draw: st.DrawFn) -> Requirement:
    """Draw a requirement."""
    extras = draw(st.lists(NAMES, max_size=2, unique=True))
    text = draw(NAMES) + (f"[{','.join(extras)}]" if extras else "") + ",".join(draw(SPECIFIERS))
    marker = draw(MARKERS)
    return Requirement(f"{text} ; {marker}" if marker else text)


@st.composite
def spelt(draw: st.DrawFn, asked: Requirement, digests: list[str]) -> str:
    """Draw a way in which a requirements file spells a requirement, with hashes, comments and continued lines."""
    marker = f"{draw(BLANKS)};{draw(BLANKS)}{asked.marker}" if asked.marker else ""
    extras = f"{draw(BLANKS)}[{', '.join(asked.extras)}]" if asked.extras else ""
    specifier = f"{draw(BLANKS)},{draw(BLANKS)}".join(str(each) for each in asked.specifier)
    wide = f"({specifier})" if specifier and draw(st.booleans()) else specifier
    ends = [f"--hash{draw(st.sampled_from('= '))}sha256:{digest}" for digest in digests]
    broken = draw(st.sampled_from([" ", " \\\n    "]))
    comment = draw(st.sampled_from(["", "  # why; not <this> --hash=sha256:00"]))
    return broken.join([f"{asked.name}{extras}{draw(BLANKS)}{wide}{marker}", *ends]) + comment


@given(st.data(), st.lists(asked_for(), max_size=4), st.lists(SHA256, max_size=2, unique=True))
def test_a_requirement_is_read_however_it_is_spelt(data, asked, digests):
    lines = [data.draw(spelt(each, digests)) for each in asked]
    with tempfile.TemporaryDirectory() as folder:
        file, more = Path(folder) / "r.txt", Path(folder) / "more.txt"
        file.write_text("# a comment\n--no-index\n-r more.txt\n\n" + "\n".join(lines[1:]) + "\n")
        more.write_text("".join(f"{line}\n" for line in lines[:1]))
        found = list(requirements.lines(file))
    read = [each for line in found if (each := requirements.of_line(line))]
    assert sorted(map(str, read)) == sorted(map(str, asked))
    given_hashes = hashes._hashes_by_package(found)
    assert given_hashes == {canonicalize_name(each.name): set(digests) for each in asked if digests}


@given(st.text(max_size=40) | st.from_regex(r"(-e |\./|https://|-r )[a-z]{1,5}\S{0,9}", fullmatch=True))
@example("./wheels/a-1-py3-none-any.whl")
@example("a @ https://x.test/a-1.zip --hash=sha256:00")
def test_no_line_is_more_than_a_requirement_or_nothing(line):
    found = requirements.of_line(line)
    assert found is None or requirements.parsed(str(found)) == found
    if line.startswith(("-", "./", "https://")) and not line.partition("#")[0].endswith(".whl"):
        assert found is None


@given(
    NAMES.filter(lambda name: "-" not in name), VERSIONS, st.sampled_from(["", "./", "/a b/", "https://x/", "C:\\w\\"])
)
def test_a_wheel_s_place_names_its_distribution(name, version, place):
    name = name.replace(".", "_")
    assume(requirements.wheel_distribution(f"{name}-{version}-py3-none-any.whl"))
    found = requirements.of_line(f"{place}{name}-{version}-py3-none-any.whl")
    assert found is not None
    assert found.name == canonicalize_name(name)


# --- inline metadata of scripts (PEP 723) -----------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=12)
VALUES = st.recursive(TEXTS | st.booleans() | st.integers(-9, 9), lambda each: st.lists(each, max_size=3), max_leaves=6)
TABLES = st.dictionaries(TEXTS, VALUES | st.dictionaries(TEXTS, VALUES, max_size=2), max_size=4)
CODE = st.sampled_from(["", "print(1)\n", "# a comment\n#\n", "# /// other\n# x = 1\n# ///\n", "x = '''\n#'''\n"])


@given(TABLES, CODE, CODE)
def test_a_script_s_block_is_the_table_that_was_written(table, before, after):
    text = tomlkit.dumps(table).rstrip("\n")
    lines = [f"# {line}" if line else "#" for line in text.split("\n")]
    block = "\n".join(["# /// script", *lines, "# ///"]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "tool.py"
        script.write_text(f"{before}\n{block}\n{after}", encoding="utf-8")
        assert manifests.script_table(script) == table
        assert manifests.script_block(script) == block.rstrip("\n")
        script.write_text(f"{before}\n{after}", encoding="utf-8")
        assert manifests.script_table(script) is None


# --- globs of what stays out ------------------------------------------------------------------------------------------

PARTS = st.sampled_from(["a", "b", "tests", "test", "x.py", "test_x.py", "[a]", "A"])
FILES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
GLOBS = st.lists(PARTS | st.sampled_from(["*", "?", "*.py", "[ab]", "[!a]", "t*"]), min_size=1, max_size=3).map(
    "/".join
)
# no path is a file and a folder at once, as in any real tree
TREES = st.lists(FILES, max_size=8, unique=True).filter(
    lambda files: not any(other.startswith(f"{file}/") for file in files for other in files)
)


def left(files: list[str], rules: selection.Rules) -> list[str]:
    with ImageBuilder("tree") as builder:
        for path in files:
            builder.add(f"site-packages/{path}", b"")
        selection.apply(builder, rules.params, base="site-packages")
        return [path.removeprefix("site-packages/") for path in builder.paths()]


@given(TREES, st.lists(GLOBS, max_size=3), st.booleans())
@example(["a/tests/x.py", "tests", "a/test/x.py", "b/test/test_x.py", "b/test/a"], [], True)
def test_a_file_stays_out_where_a_glob_means_it_or_a_folder_above(files, globs, tests):
    """Said anew here, path by path, without the one pattern and the memory of folders that make it quick."""

    def folders(path):
        return [folder for folder in map(str, Path(path).parents) if folder != "."]

    def holds_tests(folder):
        inside = (posixpath.basename(path) for path in files if posixpath.dirname(path) == folder)
        return any(name.startswith("test_") and name.endswith(".py") for name in inside)

    def is_out(path):
        named = any(fnmatch.fnmatchcase(each, glob) for each in (path, *folders(path)) for glob in globs)
        own = [each for each in folders(path) if posixpath.basename(each) in {"tests", "test"}]
        return named or (tests and any(posixpath.basename(each) == "tests" or holds_tests(each) for each in own))

    rules = selection.rules("any", [f"*:{glob}/" for glob in globs], tests=tests)
    assert left(files, rules) == sorted(path for path in files if not is_out(path))


@given(NAMES, st.sampled_from(["", "*", "?"]))
def test_a_distribution_is_meant_by_its_name_in_any_spelling(name, end):
    pattern = name.upper().replace("-", "_") + end
    assert selection.faults([f"{pattern}:x"]) == []
    assert selection.is_out(name, [pattern]) is (end != "?")
    assert selection.is_out(name + "x", [pattern]) is (end != "")
    assert selection.unmatched([pattern], [name + "x"]) == ([] if end else [pattern])


# --- what is written into locks ---------------------------------------------------------------------------------------

LISTS = st.lists(st.text(max_size=9), max_size=3).map(tuple)
LINES = st.text(max_size=9)
WORDS = st.text(min_size=1, max_size=9)
RUNTIMES = st.builds(LockedRuntime, provider=WORDS, version=WORDS, file=LINES, sha256=LINES)
MADE = st.builds(
    LockMetadata,
    request=st.builds(
        LockRequest, file=LINES, requires_python=LINES, requirements=LISTS, extras=LISTS, groups=LISTS, stamp=LINES
    ),
    python=LINES, targets=LISTS, runtimes=st.dictionaries(NAMES, RUNTIMES, max_size=3), settings=LINES,
)  # fmt: skip


@given(MADE)
def test_our_table_in_a_lock_says_what_was_written(made):
    text = lock_metadata.format_table(made)
    assert text.startswith("\n[tool.pypack]\n")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pylock.toml"
        file.write_text(f'lock-version = "1.0"\n{text}', encoding="utf-8", newline="\n")
        assert lock_metadata.read(file) == made


@given(st.lists(SHA256, min_size=1, max_size=5, unique=True), st.data())
def test_a_lock_keeps_the_files_whose_hashes_are_given_and_no_other(digests, data):
    rows = [
        f'    {{ url = "https://x.test/{digest}.whl", hashes = {{ sha256 = "{digest}" }} }},\n' for digest in digests
    ]
    head, more = 'lock-version = "1.0"\n', '\n[[packages]]\nname = "other"\nversion = "1"  # kept as it is\n'
    package = '\n[[packages]]\nname = "aaa"\nversion = "1"\nwheels = [\n'
    allowed = data.draw(st.lists(st.sampled_from(digests), min_size=1, unique=True))
    lines = [f"Aaa==1 --hash=sha256:{digest.upper()}" for digest in allowed]
    found = hashes.enforce_hashes(head + package + "".join(rows) + "]\n" + more, Path("r.txt"), lines)
    left = [row for row, digest in zip(rows, digests, strict=True) if digest in allowed]
    assert found == head + package + "".join(left) + "]\n" + more
    assert len(tomllib.loads(found)["packages"][0]["wheels"]) == len(allowed)
