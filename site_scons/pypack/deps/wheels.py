"""Unpack a wheel into an image: packages, data and metadata, with pypack's own console scripts."""

from __future__ import annotations

import csv
import io
import posixpath
import warnings
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import installer
from installer.records import RecordEntry
from installer.sources import WheelFile, WheelSource

from pypack.bytecode import compiling
from pypack.deps.build import wheel_archive
from pypack.errors import ArchiveError, StepError
from pypack.formats import selection
from pypack.formats.image import ImageBuilder
from pypack.formats.scripts import console_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from installer.utils import Scheme

    from pypack.steps.step import Context

SITE = "site-packages"
"""Folder of the deps layer that goes onto sys.path."""

_MOST_ISSUES = 10
_FOLDERS = {"purelib": SITE, "platlib": SITE, "scripts": "bin", "data": "data"}


class _Wheel(WheelFile):
    """A wheel whose files are compared with its RECORD while they are unpacked, so that each is read once."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        super().__init__(packed)
        self.wrong: list[str] = []

    def get_contents(self) -> Iterator[tuple[tuple[str, str, str], BinaryIO, bool]]:
        for row, stream, is_executable in super().get_contents():
            data, entry = stream.read(), RecordEntry.from_elements(*row)
            short = entry.size is not None and entry.size != len(data)
            if short or (entry.hash_ and not entry.hash_.validate(data)):
                self.wrong.append(f"hash / size of {entry.path} didn't match RECORD")
            yield row, io.BytesIO(data), is_executable


class _ImageDestination:
    """Where ``installer`` writes to: an image instead of a file system."""

    def __init__(self, builder: ImageBuilder, wheel: str) -> None:
        self._builder, self._wheel = builder, wheel
        self.commands: set[str] = set()

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
        del section
        path = f"bin/{name}.py"
        self._put(path, console_script(f"{module}:{attr}"), executable=False)
        self.commands.add(path)
        return RecordEntry(f"../{path}", None, None)

    def write_file(
        self, scheme: Scheme, path: str, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:  # fmt: skip
        text = str(path)
        if scheme != "headers" and "__pycache__" not in text.split("/"):
            self._put(f"{_FOLDERS[scheme]}/{text}", stream.read(), executable=is_executable)
        prefix = "" if scheme in {"purelib", "platlib"} else f"../{_FOLDERS.get(scheme, scheme)}/"
        return RecordEntry(f"{prefix}{text}", None, None)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        del scheme
        content = record(entry.path for kind, entry in records if kind != "headers")
        self._put(f"{SITE}/{record_file_path}", content, executable=False)

    def _put(self, path: str, data: bytes, *, executable: bool) -> None:
        if path not in self._builder:
            self._builder.add(path, data, executable=executable)
        elif path in self.commands:  # a script of the wheel's own has the name of the one that we made (pywin32)
            self.commands.remove(path)
            self._builder.remove(path)
            self._builder.add(path, data, executable=executable)
        elif self._builder.member(path).kind != "file" or self._builder.read(path) != data:
            raise ArchiveError(f"{self._wheel} brings {path} twice, with other contents", hint="tell its authors")


def record(paths: Iterable[str]) -> bytes:
    """Return a RECORD of ``paths``, relative to site-packages, without hashes: layers have their own."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((path, "", "") for path in sorted(set(paths)))
    return text.getvalue().encode()


def unpack_wheel(builder: ImageBuilder, path: Path) -> frozenset[str]:
    """Unpack the wheel ``path`` into ``builder``, checked against its own RECORD.

    Returns the paths of the scripts that were made for its entry points.
    """
    destination = _ImageDestination(builder, path.name)
    try:
        with zipfile.ZipFile(path) as packed, warnings.catch_warnings():
            # the library warns of each __pycache__ in a wheel; bytecode is compiled later
            warnings.simplefilter("ignore", RuntimeWarning)
            source = _Wheel(packed)
            _check(source, path.name)
            installer.install(
                source=source,
                destination=cast("installer.destinations.WheelDestination", destination),
                additional_metadata={"INSTALLER": b"pypack\n"},
            )
            if source.wrong:
                raise _broken(path.name, list(_shorten_issues(source.wrong, path.name)))
            return frozenset(destination.commands)
    except (StepError, ArchiveError):
        raise
    except zipfile.BadZipFile as error:
        raise _broken(path.name, [f"it is no zip file, or cut short: {error}"]) from error
    except Exception as error:  # the library raises many kinds for a wheel that is not sound
        raise _broken(path.name, [f"{type(error).__name__}: {error}"]) from error


def _check(source: WheelFile, name: str) -> None:
    """Raise :class:`ArchiveError` for a wheel whose .dist-info is incomplete or does not match its contents."""
    try:
        names = set(source.dist_info_filenames)
    except ValueError as error:
        raise _broken(name, [str(getattr(error, "reason", error)).replace("Wheel", "it", 1)]) from error
    if missing := [name for name in ("METADATA", "WHEEL", "RECORD") if name not in names]:
        raise _broken(name, [f"its {source.dist_info_dir} has no {' and no '.join(missing)}"])
    try:
        source.validate_record(validate_contents=False)
    except WheelSource.validation_error:
        try:
            source.validate_record(validate_contents=True)  # tells all at once
        except WheelSource.validation_error as error:
            raise _broken(name, list(_shorten_issues(getattr(error, "issues", [str(error)]), name))) from error


def _shorten_issues(issues: list[str], name: str) -> Iterator[str]:
    """Yield the first issues, without the wheel's path, which the library puts in front of each."""
    for issue in issues[:_MOST_ISSUES]:
        yield issue.partition(f"{name}, ")[2] or issue
    if len(issues) > _MOST_ISSUES:
        yield f"and {len(issues) - _MOST_ISSUES} more"


def _broken(name: str, reasons: list[str]) -> ArchiveError:
    """Return the error for a wheel, which begins with the name and version of the distribution."""
    distribution = " ".join(name.split("-")[:2])
    details = "".join(f"\n  {reason}" for reason in reasons) if len(reasons) > 1 else f" {reasons[0]}"
    return ArchiveError(
        f"the wheel of {distribution} cannot be unpacked ({name}):{details}",
        hint="it is damaged, or not made as the specification of wheels says: take another version,"
        " or tell its authors",
        docs="docs/dependencies.md",
    )


def run_wheel(context: Context) -> None:
    """Step: one wheel -> image of the files that it installs, with bytecode.

    Inputs: the wheel (or a wheel archive with one that was built here), and the compiler image, if there is one.
    Params: as for :func:`pypack.bytecode.compiling.run_compile`, without ``below``; ``drop`` and ``tests`` count from
    site-packages.
    """
    with ImageBuilder("wheel", folder=context.product.parent) as builder:
        with wheel_archive.open_wheel(context.inputs[0]) as wheel:
            unpack_wheel(builder, wheel)
        select(builder, context.params)
        if len(context.inputs) > 1:
            compiling.compile_image(context, builder, context.inputs[1], below=f"{SITE}/")
        builder.write(context.product)


def select(builder: ImageBuilder, params: Mapping[str, Any]) -> None:
    """Remove the files that a step's params exclude (:mod:`pypack.formats.selection`), also from RECORD."""
    before = set(builder.paths())
    selection.apply(builder, params, base=SITE)
    removed = before.difference(builder.paths())
    for path in builder.paths() if removed else ():
        if path.endswith(".dist-info/RECORD"):
            entries = csv.reader(io.StringIO(builder.read(path).decode()))
            builder.replace(path, record(entry[0] for entry in entries if _image_path(entry[0]) not in removed))


def _image_path(row: str) -> str:
    return posixpath.normpath(posixpath.join(SITE, row))
