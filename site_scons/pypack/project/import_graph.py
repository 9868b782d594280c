"""Reads which modules sources import, where, and whether a module can be imported without them."""

from __future__ import annotations

import ast
import posixpath
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pypack.project.entries import Entry

LARGEST = 8 << 20
"""Size in bytes from which a source is generated data; parsing takes a hundred times the memory."""
_CHANGES_PATH = (b"sys.path", b"invalidate_caches", b"addsitedir", b'"pip"', b"'pip'")
"""Words of sources that make modules importable while they run: what these import may be there by then."""
_NOT_FOUND = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True, kw_only=True)
class Import:
    """An import of ``module`` (a whole dotted name) in ``line``.

    ``required``: its module cannot be imported without it: it stands outside of functions, conditions and
    ``try … except ImportError``. ``instead`` are the modules whose absence it makes up for, in such an ``except``.
    """

    module: str
    line: int
    required: bool = True
    instead: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        """The first name of the module, which alone can be looked for."""
        return self.module.split(".", 1)[0]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is known of the target when sources test it: ``sys.platform``, ``os.name``, ``platform.system()``."""

    sys_platform: str
    os_name: str
    platform_system: str
    version: tuple[int, ...]

    def holds(self, test: ast.expr) -> bool | None:
        """Return the value of a condition, None where it cannot be known."""
        try:
            return bool(self._value(test))
        except (ValueError, TypeError):
            return None

    def _value(self, node: ast.expr) -> object:  # noqa: PLR0911 - one for each kind of expression
        match node:
            case ast.Constant() | ast.Tuple():
                return ast.literal_eval(node)
            case ast.UnaryOp(op=ast.Not()):
                return not self._value(node.operand)
            case ast.BoolOp():
                return self._joined(node)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return _compare(operator, self._value(left), self._value(right))
            case ast.Subscript():
                if ast.unparse(node) in {"sys.version_info[0]", "sys.version_info[:2]"}:
                    return self.version[0] if ast.unparse(node).endswith("[0]") else self.version[:2]
            case ast.Call(func=ast.Attribute(value=value, attr="startswith"), args=[ast.Constant(value=str(prefix))]):
                return str(self._value(value)).startswith(prefix)
        known = {
            "sys.platform": self.sys_platform, "os.name": self.os_name, "platform.system()": self.platform_system,
            "sys.version_info": self.version, "sys.version_info.major": self.version[0],
            "sys.version_info.minor": self.version[1],
        }  # fmt: skip
        text = ast.unparse(node)
        if text not in known:
            raise ValueError(text)
        return known[text]

    def _joined(self, node: ast.BoolOp) -> bool:
        """Return the value of ``and`` and ``or``, which one part can decide."""
        decisive = isinstance(node.op, ast.Or)
        values = [self.holds(value) for value in node.values]
        if decisive in values:
            return decisive
        if None in values:
            raise ValueError
        return not decisive


def _compare(operator: ast.cmpop, left: object, right: object) -> bool:
    match operator:
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
        case ast.In() | ast.NotIn() if isinstance(right, tuple | str):
            return (left in right) == isinstance(operator, ast.In)
        case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() if isinstance(left, tuple) and isinstance(right, tuple):
            less = left < right or (isinstance(operator, ast.LtE | ast.Gt) and left == right)
            return less == isinstance(operator, ast.Lt | ast.LtE)
    raise ValueError


def imports(source: bytes, package: str, conditions: Conditions | None, *, is_main: bool) -> list[Import] | None:
    """Return the imports of a source; None where it is no Python.

    ``package`` is the package that it is in (``""``: none), for relative imports; ``is_main``: it runs as the program.
    Branches that do not apply under ``conditions`` and those for type checkers are left out.
    """
    if len(source) > LARGEST:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. invalid escapes: not the topic here
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    required = not any(word in source for word in _CHANGES_PATH)
    return list(_Reader(package=package, conditions=conditions, is_main=is_main).read(tree.body, required=required))


@dataclass(frozen=True, kw_only=True)
class _Reader:
    package: str
    conditions: Conditions | None
    is_main: bool

    def read(self, nodes: Iterable[ast.AST], *, required: bool) -> Iterator[Import]:
        for node in nodes:
            yield from self._read_node(node, required=required)

    def _read_node(self, node: ast.AST, *, required: bool) -> Iterator[Import]:
        match node:
            case ast.Import():
                yield from (Import(module=name.name, line=node.lineno, required=required) for name in node.names)
            case ast.ImportFrom():
                yield from self._read_from(node, required=required)
            case ast.If():
                yield from self._read_if(node, required=required)
            case ast.Try() if any(_catches_import_error(handler) for handler in node.handlers):
                yield from self._read_try(node, required=required)
            case ast.With() if any("suppress(" in ast.unparse(item.context_expr) for item in node.items):
                return
            case ast.Try() | ast.With() | ast.ClassDef():
                yield from self.read(ast.iter_child_nodes(node), required=required)
            case _:
                yield from self.read(ast.iter_child_nodes(node), required=False)

    def _read_from(self, node: ast.ImportFrom, *, required: bool) -> Iterator[Import]:
        base = node.module or ""
        if node.level:
            parts = self.package.split(".") if self.package else []
            above = parts[: max(0, len(parts) - node.level + 1)]
            if not above:
                return  # beyond the top: Python's own error says it best
            base = ".".join([*above, *([base] if base else [])])
        yield Import(module=base, line=node.lineno, required=required)
        # a name may be a submodule
        yield from (
            Import(module=f"{base}.{name.name}", line=node.lineno, required=required)
            for name in node.names
            if name.name != "*"
        )

    def _read_if(self, node: ast.If, *, required: bool) -> Iterator[Import]:
        text = ast.unparse(node.test)
        if text in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            holds: bool | None = False
        elif text in {"__name__ == '__main__'", "'__main__' == __name__"}:
            holds = self.is_main
        else:
            holds = self.conditions.holds(node.test) if self.conditions else None
        if holds is not False:
            yield from self.read(node.body, required=required and holds is True)
        if holds is not True:
            yield from self.read(node.orelse, required=required and holds is False)

    def _read_try(self, node: ast.Try, *, required: bool) -> Iterator[Import]:
        """Yield what stands in for optional modules, with these; what a ``try`` guards does not count."""
        guarded = tuple({found.module for found in self.read(node.body, required=False)})
        for handler in node.handlers:
            for found in self.read(handler.body, required=False):
                yield replace(found, instead=guarded)
        yield from self.read(node.orelse, required=False)
        yield from self.read(node.finalbody, required=required)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _NOT_FOUND for kind in kinds)


# --- the app's own modules --------------------------------------------------------------------------------------------


def package_of(inside: str) -> str:
    """Return the package that a file of the app is in, by its path."""
    return posixpath.dirname(inside).replace("/", ".")


def entry_files(entry: Entry, files: Mapping[str, object]) -> list[str]:
    """Return the files of the app that the program begins with; none where it begins in a package."""
    match entry.kind:
        case "script":
            names = [entry.name] if entry.name in files else []
        case "module":
            main = f"{entry.name.replace('.', '/')}/__main__.py"
            names = [main] if main in files else []
            names += own_files(entry.name, files)
        case "function":
            names = own_files(entry.name, files)
        case _:
            modules = [point.partition(":")[0] for _, point in entry.scripts]
            names = [name for module in modules for name in own_files(module, files)]
            names += [path for _, path in entry.script_files if path in files]
    return list(dict.fromkeys(names))


def main_files(entry: Entry, files: Mapping[str, object]) -> set[str]:
    """Return the files that run as the program, with the name ``__main__``."""
    if entry.kind == "scripts":
        return {path for _, path in entry.script_files if path in files}
    return set(entry_files(entry, files)) if entry.kind in {"script", "module"} else set()


def own_files(module: str, files: Mapping[str, object], root: str = "") -> list[str]:
    """Return the files that an import of ``module`` runs, those of its packages first."""
    parts = module.split(".")
    names = []
    for length in range(1, len(parts) + 1):
        path = posixpath.join(root, *parts[:length])
        names += [name for name in (f"{path}/__init__.py", f"{path}.py") if name in files][:1]
    return names


def needed_files(
    entry: Entry,
    files: Mapping[str, object],
    read: Callable[[str], list[Import]],
    *,
    optional: bool = False,
) -> list[str]:
    """Return the files of the app without which the program cannot start: its entry and what that always imports.

    ``read`` returns the imports of a file; with ``optional`` all of them count.
    """
    mains = entry_files(entry, files)
    roots = ["", *({posixpath.dirname(entry.name)} if entry.kind == "script" else ())]
    waiting, needed = list(mains), dict.fromkeys(mains)
    while waiting:
        inside = waiting.pop(0)
        for found in read(inside):
            counts = optional or found.required
            own = [name for root in roots for name in own_files(found.module, files, root)] if counts else []
            waiting += [name for name in own if name not in needed]
            needed.update(dict.fromkeys(own))
    return list(needed)
