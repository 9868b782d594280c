"""Generates the tables in docs/settings.md and docs/build-output.md, the JSON schema of ``[tool.pypack]``, and types.

``python -m pypack.project.settings_docs docs`` writes them; with ``--check`` it only says whether they are current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypack.base import declare, notes
from pypack.base.declare import declared
from pypack.bundle import identity
from pypack.download.pins import Row
from pypack.errors import InputError
from pypack.project import environment_types, options
from pypack.project.settings import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pypack.base.declare import Kind, Setting

_DOCS = "docs/settings.md"

_BEGIN, _END = "<!-- the table of settings: nox -s update_docs -->", "<!-- end of the table -->"
_NOTES_BEGIN, _NOTES_END = "<!-- the table of notes: nox -s update_docs -->", "<!-- end of the table -->"
_TEXT = '"…"'
_TOML = {"flag": "true", "number": "1", "table": "{ … }", "rows": "[[…]]"}
_STRINGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


# --- docs/settings.md -------------------------------------------------------------------------------------------------


def markdown() -> str:
    """Return the table of docs/settings.md."""
    lines = []
    for title, settings in declare.grouped(TABLE.values()).items():
        lines += [
            f"\n### {title}", "| `[tool.pypack]` | `pypack build` | `scons` | default | |",
            "|---|---|---|---|---|",
        ]  # fmt: skip
        lines += [_table_row(setting) for setting in settings]
    return "\n".join([_BEGIN, *lines, "", _END])


def _table_row(setting: Setting) -> str:
    option = f"`{'`, `'.join(options.flags(setting))}`"
    if setting.kind != "flag":
        option = f"{option[:-1]} {setting.metavar or setting.name[0].upper()}`".replace("|", "\\|")
    choices = f" ({', '.join(f'`{choice}`' for choice in setting.choices)})" if setting.choices else ""
    more = f"; see [{setting.docs}]({setting.docs})" if setting.docs else ""
    value = '["…"]' if setting.kind in {"list", "globs", "paths"} else _TOML.get(setting.kind, _TEXT)
    toml = f"`{setting.key} = {value}`"
    return f"| {toml} | {option} | `{setting.word}=` | {setting.otherwise} | {setting.help}{choices}{more} |"


def notes_markdown() -> str:
    """Return the table of docs/build-output.md."""
    rows = [f"| `{name}` | {kind.level} | {kind.about} |" for name, kind in notes.KINDS.items()]
    return "\n".join([_NOTES_BEGIN, "", "| identifier | level | about |", "|---|---|---|", *rows, "", _NOTES_END])


def renewed(text: str, table: str = "") -> str:
    """Return the text of a page with the current table, by default that of docs/settings.md."""
    table = table or markdown()
    begin, end = table.splitlines()[0], table.splitlines()[-1]
    before, _, rest = text.partition(begin)
    _, end_marker, after = rest.partition(end)
    if not end_marker:
        raise InputError(
            f"the page has no {begin} … {end}", hint="put the two lines where the table belongs", docs=_DOCS
        )
    return f"{before}{table}{after}"


# --- docs/pypack.schema.json ------------------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """Return the schema of ``[tool.pypack]``, in SchemaStore's form for tables of a pyproject.toml."""
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://json.schemastore.org/partial-pypack.json",
        "title": "pypack",
        "description": "Settings of a program that pypack ships as one file",
    }
    return head | _object_schema({name: setting for name, setting in TABLE.items() if setting.stands_in("toml")})


def _object_schema(settings: dict[str, Setting]) -> dict[str, Any]:
    """Return the schema of a table; names with underscores are valid, but editors offer those with dashes."""
    underscored = {
        f"^{name}$": {"$ref": f"#/properties/{setting.key}"}
        for name, setting in settings.items()
        if name != setting.key
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {setting.key: _setting_schema(setting) for setting in settings.values()},
        **({"patternProperties": underscored} if underscored else {}),
    }


def _setting_schema(setting: Setting) -> dict[str, Any]:
    is_plain = not setting.default and setting.initial not in (None, "", ())
    initial = list(setting.initial) if isinstance(setting.initial, tuple) else setting.initial
    more = f" (default: {setting.default})" if setting.default else ""
    return {
        "description": f"{setting.help}{more}",
        **({"default": initial} if is_plain else {}),
        **_type_schema(setting),
    }


def _type_schema(setting: Setting) -> dict[str, Any]:
    """Return the part of a setting's schema that follows from its type."""
    text = {"type": "string", **({"pattern": f"^({setting.pattern})$"} if setting.pattern else {})}
    rows = _record_schema(setting.record) if setting.record else {"type": "object"}
    table = {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(setting.keys, text)}
    forms: dict[Kind, dict[str, Any]] = {
        "text": text, "path": text, "flag": {"type": "boolean"}, "number": {"type": "integer", "minimum": 0},
        "list": _STRINGS, "globs": _STRINGS, "paths": _STRINGS, "table": rows if setting.record else table,
        "rows": {"type": "array", "items": rows},
    }  # fmt: skip
    return {"enum": list(setting.choices)} if setting.choices else forms[setting.kind]


def _record_schema(record: type) -> dict[str, Any]:
    settings = declared(record)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _setting_schema(setting) for name, setting in settings.items()},
        "required": [name for name, setting in settings.items() if setting.required],
        **_constraints(record),
    }


def _constraints(record: type) -> dict[str, Any]:
    """Return the constraints between the keys of a table."""
    if record is Row:
        return {"anyOf": [{"required": ["url"]}, {"required": ["urls"]}]}
    if record is identity.Sign:
        return {"allOf": [_signing_tool_rule(name) for name in identity.NEEDED]}
    return {}


def _signing_tool_rule(name: str) -> dict[str, Any]:
    foreign = [{"required": [key]} for key in identity.FOREIGN[name]]
    return {
        "if": {"properties": {"tool": {"const": name}}},
        "then": {"required": list(identity.NEEDED[name]), "not": {"anyOf": foreign}},
    }


# --- files ------------------------------------------------------------------------------------------------------------


def files(folder: Path) -> dict[Path, str]:
    """Return the current text of each generated file below ``docs/``."""
    page, editors, output = folder / "settings.md", folder / "pypack.schema.json", folder / "build-output.md"
    return {
        folder.parent / "site_scons/pypack/environment.pyi": environment_types.text(),
        output: renewed(output.read_text(encoding="utf-8"), notes_markdown()),
        page: renewed(page.read_text(encoding="utf-8")),
        editors: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
    }


def stale(folder: Path) -> list[Path]:
    """Return the generated files that are not current."""
    return [path for path, text in files(folder).items() if not path.is_file() or path.read_bytes() != text.encode()]


def main(arguments: Sequence[str]) -> int:
    """Renew the files in the folder named, or with ``--check`` say which are stale."""
    folder = Path(arguments[-1])
    if "--check" in arguments:
        for path in (stale_files := stale(folder)):
            print(f"{path} is stale: nox -s update_docs", file=sys.stderr)
        return 1 if stale_files else 0
    for path, text in files(folder).items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
