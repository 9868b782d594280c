"""Settings as options of ``pypack`` and as variables of ``scons``: declares and parses them."""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pypack.base import declare
from pypack.base.declare import Setting, declared
from pypack.download import pins
from pypack.errors import InputError, did_you_mean
from pypack.project.settings import TABLE, BuildOptions, LockOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pypack.base.declare import Location, PathResolver

Record = TypeVar("Record", BuildOptions, LockOptions)

_DOCS = "docs/settings.md"
_YES, _NO = ("yes", "y", "true", "t", "1", "on"), ("no", "n", "false", "f", "0", "off")
_WITH_COMMAS = ("globs", "paths")
_SEVERAL = ("list", "table", *_WITH_COMMAS)
_ARRAY = re.compile(r"""\[\s*(["'].*)?\]\s*""", re.DOTALL)
_KEY = r"[a-z0-9_-]+="


# --- the command line -------------------------------------------------------------------------------------------------


def flags(setting: Setting) -> list[str]:
    """Return the options for a setting; for a flag that files may set too, the last one is its negation."""
    name = (setting.option or setting.name).replace("_", "-")
    short = [f"-{setting.short}"] if setting.short else []
    return [*short, f"--{name}", *([_negated(name)] if _is_switch(setting) else [])]


def _is_switch(setting: Setting) -> bool:
    return setting.kind == "flag" and setting.stands_in("toml")


def _negated(name: str) -> str:
    return f"--{name.removeprefix('no-')}" if name.startswith("no-") else f"--no-{name}"


class _Flag(argparse.Action):
    """``--console`` and ``--no-console``: ``off`` is the option that means no."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, off: str, **more: Any) -> None:  # noqa: ANN401 - as argparse has it
        super().__init__(option_strings, dest, nargs=0, **more)
        self._off = off

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        del parser, values
        setattr(namespace, self.dest, ["no" if option == self._off else "yes"])


def add_options(parser: argparse.ArgumentParser, settings: Iterable[Setting], command: Location) -> None:
    """Add an option for each setting that ``command`` takes, in groups."""
    for title, group in declare.grouped(setting for setting in settings if setting.stands_in(command)).items():
        group_parser = parser.add_argument_group(title) if title else parser
        for setting in group:
            _add_option(group_parser, setting)


def _add_option(group: argparse._ActionsContainer, setting: Setting) -> None:
    option_flags, dest = flags(setting), f"setting_{setting.name}"
    text = help_text(setting).replace("%", "%%")
    metavar = setting.metavar or setting.name[0].upper()
    if setting.option.isupper():
        group.add_argument(dest, nargs="?", action="append", metavar=setting.option, help=text)
    elif setting.kind == "flag":
        group.add_argument(
            *option_flags, dest=dest, action=_Flag, off=option_flags[-1] if _is_switch(setting) else "", help=text
        )
    elif setting.kind == "count":
        group.add_argument(*option_flags, dest=dest, action="append_const", const="1", help=text)
    else:
        repeatable_text = f"{text}; may be given again" if setting.kind in _SEVERAL else text
        group.add_argument(*option_flags, dest=dest, action="append", metavar=metavar, help=repeatable_text)


def help_text(setting: Setting) -> str:
    """Return the help of a setting with its choices and its default."""
    choices = ", ".join(str(choice) for choice in setting.choices)
    default = f"default: {setting.otherwise}" if setting.default or setting.stands_in("toml") else ""
    details = "; ".join(filter(None, [choices, default]))
    return f"{setting.help} ({details})" if details else setting.help


def absolute_path(text: str) -> Path:
    """Return the absolute path of an argument, relative to the current folder."""
    return Path(text).absolute()


def parse_options(options: argparse.Namespace, known: Mapping[str, Setting], resolve: PathResolver) -> dict[str, Any]:
    """Return the settings among parsed options, without missing and empty ones."""
    typed_texts = {name: getattr(options, f"setting_{name}", None) or [] for name in known}
    texts = {name: [text for text in values if text] for name, values in typed_texts.items()}
    return {name: _parse(known[name], values, resolve) for name, values in texts.items() if values}


# --- scons ------------------------------------------------------------------------------------------------------------


def variables() -> dict[str, Setting]:
    """Return the settings for variables of ``scons``, by variable name."""
    settings = (declared(BuildOptions)["app"], *TABLE.values(), *declared(BuildOptions).values())
    return {setting.word: setting for setting in settings if setting.stands_in("scons")}


def help_of_variables() -> str:
    """Return the help of ``scons -h`` for all variables."""
    lines = (f"{name}: {help_text(setting)}{_form_help(setting)}" for name, setting in variables().items())
    return "\n".join(("", *lines, ""))


def _form_help(setting: Setting) -> str:
    if setting.kind in {"flag", "count"}:
        return " [yes|no]" if setting.kind == "flag" else " [0|1|2]"
    if setting.kind in _WITH_COMMAS:
        return """, with commas between them, or as ["a,b", "c"]"""
    return ", with commas between them" if setting.kind == "list" and "commas" not in setting.help else ""


def parse_variables(texts: Mapping[str, str], resolve: PathResolver) -> tuple[BuildOptions, dict[str, Any]]:
    """Return the build options and the settings from the arguments ``name=value`` of ``scons``."""
    known = variables()
    unknown = [f"unknown variable {name}={did_you_mean(name, known)}" for name in texts if name not in known]
    if unknown:
        raise InputError("; ".join(unknown), hint="scons -h lists the variables", docs=_DOCS)
    values = {known[name].name: _variable_value(known[name], text, resolve) for name, text in texts.items() if text}
    of_build = {name: value for name, value in values.items() if name not in TABLE}
    return record(BuildOptions, of_build), {name: value for name, value in values.items() if name in TABLE}


def _variable_value(setting: Setting, text: str, resolve: PathResolver) -> Any:  # noqa: ANN401 - a value of any kind
    return _parse(setting, split_list(text) if setting.kind in _WITH_COMMAS else [text], resolve)


def record(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """Return ``values`` as the dataclass ``kind``; all faults are one error."""
    record_type: type = kind
    faults = declare.faults(declared(record_type), values)
    if faults:
        raise InputError("\n".join(faults), hint="type other values; --help lists them", docs=_DOCS)
    values_by_name: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return kind(**values_by_name)


# --- text and values --------------------------------------------------------------------------------------------------


def _parse(setting: Setting, texts: Sequence[str], resolve: PathResolver) -> Any:  # noqa: ANN401 - a value of any kind
    """Return the value of ``texts`` (of the last one, unless the setting takes several), with absolute paths."""
    if not texts:
        return []
    text = texts[-1]
    match setting.kind:
        case "flag":
            value: Any = _parse_flag(setting.name, text)
        case "count":
            value = sum(_parse_count(setting.name, text) for text in texts)
        case "number":
            value = int(text) if text.isdecimal() and text.isascii() else text
        case "list":
            value = [item for part in texts for item in split_list(part)]
        case "globs" | "paths":
            value = list(texts)
        case "table":
            value = {key: item for part in texts for key, item in _parse_pairs(setting, part).items()}
        case "rows":
            return pins.rows(resolve(text))
        case _:
            value = text
    return declare.with_absolute_paths({setting.name: setting}, {setting.name: value}, resolve)[setting.name]


def split_list(text: str) -> list[str]:
    """Return the items of a list: separated by commas, or a TOML array, whose items may contain commas."""
    if not _ARRAY.fullmatch(text):
        return [item for item in text.split(",") if item]
    items = _parse_toml(text)
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InputError(f"{text} is no list of strings", hint="""write e.g. ["a,b", "c"]""", docs=_DOCS)
    return items


def _parse_toml(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{text} is not valid TOML: {error}", hint="write paths with \\ in single quotes: ['a,b', 'c']", docs=_DOCS
        ) from error


def _parse_flag(name: str, text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise InputError(f"{name}={text} is neither yes nor no", hint="write yes or no", docs=_DOCS)
    return text.lower() in _YES


def _parse_count(name: str, text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() else int(_parse_flag(name, text))


def _parse_pairs(setting: Setting, text: str) -> dict[str, Any]:
    """Return what ``glibc=2.28,macos=13.0`` means, or a table spelt as in TOML: ``{ p12 = "a,tool=b" }``."""
    declared_settings = declared(setting.record) if setting.record else {}
    if text.startswith("{"):
        table = _parse_toml(text)
        assert isinstance(table, dict)  # text that begins with { is a table, or invalid TOML
        return {key.replace("-", "_"): value for key, value in table.items()}
    pairs: dict[str, str] = {}
    last = ""
    for part in re.split(rf",(?={_KEY})", text):
        key, equals, value = part.partition("=")
        name = key.replace("-", "_")
        if not equals or not re.fullmatch(_KEY, key + equals):
            raise _no_pair_error(setting, part)
        if last and declared_settings.get(last, setting).kind == "path" and name not in declared_settings:
            pairs[last] += f",{part}"  # part of a path with a comma
        else:
            pairs[name], last = value, name
    flags_of_record = {name for name, declaration in declared_settings.items() if declaration.kind == "flag"}
    return {key: _parse_flag(key, value) if key in flags_of_record else value
            for key, value in pairs.items()}  # fmt: skip


def _no_pair_error(setting: Setting, part: str) -> InputError:
    return InputError(
        f"{flags(setting)[-1]} takes {setting.metavar}, and {part!r} is none",
        hint="write e.g. --floor glibc=2.28" if setting.name == "floors" else "write e.g. --sign tool=codesign",
        docs=_DOCS,
    )
