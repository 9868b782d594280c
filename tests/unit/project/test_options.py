"""The declared settings as options, variables of scons and keys of TOML: what is typed becomes the same value."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pypack import cli
from pypack.base import declare
from pypack.base.declare import declared
from pypack.errors import InputError
from pypack.project import options, program
from pypack.project.settings import TABLE, BuildOptions, LockOptions, Settings

HERE = Path(__file__).parents[3]
EXAMPLES = {  # words of the command line, and the value that they stand for; paths count from /here
    "entry": (["--entry", "pkg.cli:main"], "pkg.cli:main"),
    "name": (["--name", "a tool"], "a tool"),
    "quiet": (["--silence", "host-glibc", "--silence", "uv"], ["host-glibc", "uv"]),
    "version": (["--version", "1.2"], "1.2"),
    "targets": (["--target", "host,linux-musl-x86_64", "--target", "all"], ["host", "linux-musl-x86_64", "all"]),
    "python": (["--python", "3.13"], "3.13"),
    "runtime": (["--runtime", "pbs"], "pbs"),
    "mode": (["--mode", "onefile"], "onefile"),
    "profile": (["--profile", "dev"], "dev"),
    "requirements": (["-r", "deps.txt"], Path("/here/deps.txt")),
    "extras": (["--extra", "a", "--extra", "b,c"], ["a", "b", "c"]),
    "groups": (["--group", "a"], ["a"]),
    "wheels": (["--wheel", "x.whl", "--wheel", "/y/*.whl"], [Path("/here/x.whl"), Path("/y/*.whl")]),
    "venv": (["--venv", ".venv"], Path("/here/.venv")),
    "no_binary": (["--no-binary", "numpy"], ["numpy"]),
    "no_build": (["--no-build"], True),
    "floors": (["--floor", "glibc=2.28", "--floor", "macos=13.0"], {"glibc": "2.28", "macos": "13.0"}),
    "package": (["--no-package"], False),
    "include": (["--include", "*.json"], ["*.json"]),
    "exclude": (["--exclude", "a", "--exclude", "b"], ["a", "b"]),
    "exclude_packages": (["--exclude-packages", "numpy:numpy/*/tests"], ["numpy:numpy/*/tests"]),
    "exclude_tests": (["--exclude-tests"], True),
    "sources": (["--no-sources"], False),
    "optimize": (["--optimize", "2"], 2),
    "environment": (["--environment", "standard"], "standard"),
    "startup": (["--startup", "fast"], "fast"),
    "launch": (["--launch", "embed"], "embed"),
    "self_commands": (["--no-self-commands"], False),
    "interpreter": (["--no-interpreter"], False),
    "scripts_on_path": (["--scripts-on-path"], True),
    "console": (["--no-console"], False),
    "alias": (["--alias"], True),
    "icon": (["--icon", "art/a.ico"], Path("/here/art/a.ico")),
    "description": (["--description", "Greets, 100 % of you"], "Greets, 100 % of you"),
    "company": (["--company", "Example, Ltd"], "Example, Ltd"),
    "copyright": (["--copyright", "© 2026"], "© 2026"),
    "sign": (
        ["--sign", "tool=rcodesign,p12=cert.p12,password-env=SECRET", "--sign", "timestamp=no,identity=Doe, Jane"],
        {"tool": "rcodesign", "p12": Path("/here/cert.p12"), "password_env": "SECRET", "timestamp": False,
         "identity": "Doe, Jane"},
    ),
}  # fmt: skip


def whole(text):
    return Path("/here") / text


def typed(*words, command="build"):
    parser = argparse.ArgumentParser()
    options.add_options(parser, TABLE.values(), command)
    return options.parse_options(parser.parse_args(list(words)), TABLE, whole)


def scons(**words):
    return options.parse_variables(words, whole)[1]


def as_variable(words):
    """Spell options as scons has them: commas between those of a list."""
    if len(words) == 1:
        return "no" if words[0].startswith("--no-") and words[0] != "--no-build" else "yes"
    return ",".join(words[1::2])


@pytest.mark.parametrize("name", [name for name in TABLE if name != "pins"])
def test_each_setting_is_an_option_and_a_variable(name):
    words, value = EXAMPLES[name]
    assert typed(*words) == {name: value}
    assert scons(**{TABLE[name].word: as_variable(words)}) == {name: value}


def test_pins_are_a_file(tmp_path):
    rows = 'target = "linux-gnu-x86_64"\nversion = "3.13.5"\nsha256 = "0"'
    (tmp_path / "pins.toml").write_text(
        f'[[pins]]\nurl = "a.tar.gz"\n{rows}\n[[pins]]\nurls = ["https://x/b", "c"]\n{rows}\n'
    )
    given = typed("--pins", str(tmp_path / "pins.toml"))
    assert given == scons(pins=str(tmp_path / "pins.toml"))
    assert given["pins"][0]["url"] == str(tmp_path / "a.tar.gz")
    assert given["pins"][1]["urls"] == ["https://x/b", str(tmp_path / "c")]
    assert given["pins"][0]["version"] == "3.13.5"
    with pytest.raises(InputError, match="cannot be read"):
        scons(pins=str(tmp_path / "none.toml"))
    (tmp_path / "pins.toml").write_text("pins = 3\n")
    with pytest.raises(InputError, match="must be rows"):
        scons(pins=str(tmp_path / "pins.toml"))


def test_a_flag_can_be_switched_on_and_off_and_the_last_word_counts():
    assert typed("--no-console", "--console") == {"console": True}
    assert typed("--no-build", "--build") == {"no_build": False}
    assert typed() == {}
    assert typed("--name", "a", "--name", "b") == {"name": "b"}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("floors", "2.28", "--floor takes NAME=VERSION, and '2.28' is none"),
        ("sign", "codesign", "--sign takes KEY=VALUE"),
        ("sign", "{ tool = ", "is not valid TOML"),
        ("wheels", "['a.whl', 3]", "is no list of strings"),
        ("wheels", '["C:\\x.whl"]', "write paths with \\ in single quotes"),
        ("console", "perhaps", "console=perhaps is neither yes nor no"),
        ("offline", "perhaps", "offline=perhaps is neither yes nor no"),
        ("sign", "tool=codesign,timestamp=maybe", "timestamp=maybe is neither"),
        ("ofline", "yes", "unknown variable ofline= (did you mean offline"),
        ("jobs", "2", "unknown variable jobs="),
    ],
)
def test_what_is_no_value_is_told(name, text, told):
    with pytest.raises(InputError) as caught:
        scons(**{name: text})
    assert told in str(caught.value)


def test_an_empty_word_is_none():
    assert scons(**dict.fromkeys(options.variables(), "")) == {}
    assert typed("--icon", "", "--wheel", "") == {}


def test_paths_with_commas_have_a_form_in_a_list():
    assert scons(wheels="['a,b.whl', 'C:\\c.whl']") == {"wheels": [Path("/here/a,b.whl"), Path("/here/C:\\c.whl")]}
    assert scons(include='["a,b"]', exclude="[ab]*.py,c[d]") == {"include": ["a,b"], "exclude": ["[ab]*.py", "c[d]"]}
    assert scons(extras="[]") == {"extras": []}
    assert typed("--exclude-packages", '["a:b,c", "d"]') == {"exclude_packages": ["a:b,c", "d"]}


def test_a_table_can_be_spelt_as_in_toml():
    spelt = "{ tool = 'rcodesign', p12 = 'a,tool=b', password-env = 'X', timestamp = false }"
    value = {"tool": "rcodesign", "p12": Path("/here/a,tool=b"), "password_env": "X", "timestamp": False}
    assert scons(sign=spelt) == typed("--sign", spelt) == {"sign": value}
    assert scons(floors="{ glibc = '2.28' }") == {"floors": {"glibc": "2.28"}}


def test_a_path_in_a_table_goes_on_after_a_comma():
    given = typed("--sign", "tool=rcodesign,p12=a, b,c=d.p12,identity=Doe, Jane,password_env=X")
    assert given["sign"]["p12"] == Path("/here/a, b,c=d.p12")
    assert (given["sign"]["identity"], given["sign"]["password_env"]) == ("Doe, Jane", "X")


def test_what_is_said_of_one_build_is_typed_too():
    build, given = options.parse_variables(
        {"app": "a,b", "out": "x$y", "verbose": "1", "cache": "c", "name": "n"}, whole
    )
    assert build == BuildOptions(
        app=Path("/here/a,b"), out=Path("/here/x$y"), verbose=True, cache=Path("/here/c")
    )  # fmt: skip
    assert given == {"name": "n"}
    with pytest.raises(InputError, match="jobs: must be a number, is 'many'"):
        options.record(BuildOptions, {"jobs": "many"})


def test_the_project_has_every_setting(tmp_path):
    """And what the declared defaults are, where the words of the help do not tell of another."""
    (tmp_path / "a.py").write_text("")
    found = program.load(tmp_path)
    for name, each in declared(Settings).items():
        if not each.default:
            assert getattr(found, name) == each.initial, name


def test_names_are_used_once():
    known = [*TABLE.values(), *declared(BuildOptions).values()]
    words = [word for each in known for word in options.flags(each)]
    assert len(words) == len(set(words))
    assert len({each.word for each in known}) == len(known)
    assert not {each.word for each in known} & declared(LockOptions).keys() - {"upgrade"}


@pytest.mark.parametrize("command", ["build", "run", "lock"])
def test_the_help_of_each_command_lists_them_in_groups(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    told = capsys.readouterr().out
    for title, settings in declare.grouped(TABLE.values()).items():
        shown = [each for each in settings if each.lock or command != "lock"]
        assert (f"\n{title}:\n" in told) is bool(shown)
        assert all(f"{options.flags(each)[-1]}" in told for each in shown)
    assert "examples:" in told


def test_the_help_of_scons_tells_of_every_variable():
    told = options.help_of_variables()
    assert all(f"\n{name}: " in told for name in options.variables())
    assert "\njobs: " not in told
