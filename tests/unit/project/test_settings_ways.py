"""A setting means the same in TOML, on the command line and for scons, whatever characters it holds."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypack.base import declare, notes
from pypack.base.declare import declared
from pypack.cli import build, front
from pypack.project import options, tool_table
from pypack.project.settings import TABLE, BuildOptions, LockOptions

ODD = ("a,b", "a b", " a", "a'b", 'a"b', "a$b", "${a}", "$$", "a=b", "größe", "日本", "#a", "a\\b", "[a]", "{a}", "%a",
       "a;b", "a&b", "*", "@a", "-a", "--", "a\nb", "['a']", '["a', "x,tool=b", "~a", "a:b")  # fmt: skip
"""Names of files that some language of the way would take for its own."""
ROW = {"target": "linux-gnu-x86_64", "version": "3.13.5", "sha256": "0" * 64}


def of_command(record, *words, command="build"):
    parser = argparse.ArgumentParser()
    options.add_options(parser, record.values(), command)
    return options.parse_options(parser.parse_args(list(words)), record, options.absolute_path)


def toml(value):
    """Spell a value as TOML."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{toml(key)} = {toml(each)}" for key, each in value.items()) + " }"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def paths_of(record):
    """Yield the options for paths, and the path that one typed: by the table, so that new ones come by themselves."""
    for name, each in record.items():
        if each.kind in {"path", "paths", "globs", "rows"} or each.root:
            yield name, each
        elif each.record:
            yield from ((f"{name}.{key}", each) for key, one in declared(each.record).items() if one.kind == "path")


OPTIONS = {
    (command, name): (record, each)
    for command in ("build", "lock")
    for record in (TABLE, declared(BuildOptions), declared(LockOptions))
    for name, each in paths_of(record)
    if each.stands_in(command)
}


def test_the_options_for_paths_are_those_of_the_table():
    named = {name for command, name in OPTIONS if command == "build"}
    assert named >= {"app", "out", "report", "wheels", "requirements", "venv", "pins", "icon", "include", "runtime",
                     "sign.p12", "sign.entitlements"}  # fmt: skip


@pytest.mark.parametrize(("command", "name"), OPTIONS)
def test_an_option_takes_any_path(command, name, tmp_path, monkeypatch):
    record, setting = OPTIONS[command, name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for path in (f"in/{odd}" for odd in ODD):
        value, expected = typed_and_meant(setting, path, name.partition(".")[2], tmp_path / path)
        words = [value] if setting.option.isupper() else [f"{options.flags(setting)[-1]}={value}"]
        assert of_command(record, *words, command=command) == {setting.name: expected}


def typed_and_meant(setting, path, key, whole):
    """Return what one types to name a path, and the value that it stands for."""
    match setting.kind:
        case "rows":
            whole.write_text("[[pins]]\nurl = 'b.tar'\n")
            return path, [{"url": str(whole.parent / "b.tar")}]
        case "paths":
            return path, [whole]
        case "globs":
            return path, [path]
        case "text":
            return path, str(whole)
        case "table":  # the one form that could be meant otherwise has TOML's to say which
            return toml({key: path}) if ",tool=" in path else f"{key}={path}", {key: whole}
        case _:
            return path, whole


@pytest.mark.parametrize("name", [name for name, each in TABLE.items() if each.kind in {"paths", "globs"}])
def test_a_list_of_scons_takes_any_path(name):
    whole = options.absolute_path if TABLE[name].kind == "paths" else str
    words = {TABLE[name].word: toml([*ODD])}
    assert options.parse_variables(words, options.absolute_path)[1] == {name: [whole(odd) for odd in ODD]}


def test_a_build_has_the_paths_that_were_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = front._parser()
    for odd in ODD:
        (tmp_path / odd).mkdir()
        (tmp_path / odd / "main.py").write_text("")
        more = ["--name=hello", f"--output=out/{odd}", f"--report={odd}.json", "-j2"]
        by_folder = build.read_request(parser.parse_args(["build", *more, f"./{odd}"]))
        by_entry = build.read_request(parser.parse_args(["build", *more, f"--entry=./{odd}/main.py"]))
        assert by_folder.project.folder == by_entry.project.folder == tmp_path / odd
        assert by_entry.project.only == ("main.py",)
        assert by_folder.options == BuildOptions(
            app=tmp_path / odd, out=tmp_path / "out" / odd, report=tmp_path / f"{odd}.json", jobs=2
        )


def test_a_wrong_option_is_told(tmp_path, capsys):
    (tmp_path / "main.py").write_text("")
    assert front.main(["build", "-j", "many", str(tmp_path)]) == 2
    assert "jobs: must be a number, is 'many'" in capsys.readouterr().err
    assert front.main(["build", "--optimize", "many", str(tmp_path)]) == 2
    assert "optimize: must be a number, is 'many'" in capsys.readouterr().err


# --- the three ways ---------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
PATH = TEXT.filter(lambda text: "/" not in text)
NAMES = st.lists(st.from_regex(r"[A-Za-z0-9._-]+", fullmatch=True), min_size=1)
OWN = {
    "quiet": st.lists(st.sampled_from([*notes.KINDS]), min_size=1),
    "runtime": st.sampled_from(["auto", "pbs", "rt.tar.gz", "./a, b", "https://x.example/a,b.tar#sha256=0"]),
    "exclude_packages": NAMES,
    "floors": st.dictionaries(st.sampled_from(["glibc", "musl"]), st.sampled_from(["2.28", "11.0"]), min_size=1),
    "pins": st.lists(st.builds(lambda url: {**ROW, "url": f"https://x.example/{url}"}, TEXT), min_size=1),
    "sign": st.fixed_dictionaries({"tool": st.just("rcodesign"), "p12": PATH, "password_env": TEXT},
                                  optional={"timestamp": st.booleans(), "entitlements": PATH}),
}  # fmt: skip


def values_of(setting):
    if setting.name in OWN:
        return OWN[setting.name]
    if setting.choices:
        return st.sampled_from(setting.choices)
    several = {"list": NAMES, "globs": st.lists(TEXT, min_size=1), "paths": st.lists(PATH, min_size=1)}
    return {"text": TEXT, "path": PATH, "flag": st.booleans(), **several}[setting.kind]


def as_option(setting, value, folder):
    """Spell a value on the command line."""
    words = options.flags(setting)
    match setting.kind:
        case "flag":
            return [words[0] if value else words[-1]]
        case "rows":
            return [f"{words[-1]}={rows(value, folder)}"]
        case "table":
            return [f"{words[-1]}={toml({key: each})}" for key, each in value.items()]
        case "list" | "globs" | "paths":
            return [f"{words[-1]}={each}" for each in value]
        case _:
            return [f"{words[-1]}={value}"]


def as_word(setting, value, folder):
    """Spell a value for scons."""
    match setting.kind:
        case "flag":
            return "yes" if value else "no"
        case "rows":
            return rows(value, folder)
        case "table":
            return toml(value)
        case "list" | "globs" | "paths":
            plain = ",".join(value)
            return plain if plain.split(",") == value and plain[0] != "[" else toml(value)
        case _:
            return str(value)


def rows(value, folder):
    file = Path(folder) / "pins, of one.toml"
    file.write_text(f"pins = {toml(value)}", encoding="utf-8")
    return str(file)


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(st.fixed_dictionaries({}, optional={name: values_of(each) for name, each in TABLE.items()}))
def test_the_three_ways_give_the_same_settings(chosen):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"{TABLE[name].key} = {toml(value)}" for name, value in chosen.items()]
        (folder / "pyproject.toml").write_bytes("\n".join(["[tool.pypack]", *lines]).encode())
        in_file = declare.with_absolute_paths(TABLE, tool_table.read(folder), options.absolute_path)
        words = [word for name, value in chosen.items() for word in as_option(TABLE[name], value, folder)]
        assert of_command(TABLE, *words) == in_file
        variables = {TABLE[name].word: as_word(TABLE[name], value, folder) for name, value in chosen.items()}
        assert options.parse_variables(variables, options.absolute_path) == (BuildOptions(), in_file)
        tool_table.check(in_file, "settings")
