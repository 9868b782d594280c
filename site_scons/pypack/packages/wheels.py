"""Unpack wheels into one image: packages, data and metadata, with console scripts of our own."""

from __future__ import annotations

import csv
import io
import warnings
from typing import TYPE_CHECKING, BinaryIO, cast

from pypack.errors import ArchiveError, StepError
from pypack.images.image import ImageBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from installer.records import RecordEntry
    from installer.utils import Scheme

    from pypack.pipeline import Context

SITE = "site-packages"
"""Folder of the deps image that goes onto sys.path."""

_FOLDERS = {"purelib": SITE, "platlib": SITE, "scripts": "bin", "data": "data"}


class _ImageDestination:
    """Where ``installer`` writes to: an image instead of a file system."""

    def __init__(self, builder: ImageBuilder, wheel: str, owners: dict[str, str]) -> None:
        self._builder, self._wheel, self._owners = builder, wheel, owners

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
        del section
        from installer.records import RecordEntry

        # No interpreter's path can be known here: "#!" would name the machine that builds.
        text = f"from {module} import {attr.split('.', maxsplit=1)[0]} as run\nimport sys\n"
        text = f"{text}sys.exit(run{attr[len(attr.split('.', maxsplit=1)[0]) :]}())\n"
        path = f"bin/{name}.py"
        self._put(path, text.encode(), executable=False)
        return RecordEntry(f"../{path}", None, None)

    def write_file(
        self, scheme: Scheme, path: str, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:  # fmt: skip
        from installer.records import RecordEntry

        text = str(path)
        if scheme != "headers" and "__pycache__" not in text.split("/"):
            self._put(f"{_FOLDERS[scheme]}/{text}", stream.read(), executable=is_executable)
        prefix = "" if scheme in {"purelib", "platlib"} else f"../{_FOLDERS.get(scheme, scheme)}/"
        return RecordEntry(f"{prefix}{text}", None, None)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        del scheme
        rows = sorted({entry.path for kind, entry in records if kind != "headers"})
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows((row, "", "") for row in rows)
        self._put(f"{SITE}/{record_file_path}", text.getvalue().encode(), executable=False)

    def _put(self, path: str, data: bytes, *, executable: bool) -> None:
        if path in self._builder:
            if self._builder.member(path).kind == "file" and self._builder.read(path) == data:
                return
            raise StepError(
                f"{self._owners.get(path, 'another package')} and {self._wheel} both bring {path}, with other contents",
                do="drop one of the two, or ask the authors to keep to their own folders",
            )
        self._owners[path] = self._wheel
        self._builder.add(path, data, executable=executable)


def unpack_wheels(builder: ImageBuilder, wheels: Iterable[Path]) -> None:
    """Unpack ``wheels`` into ``builder``, each checked against its own RECORD."""
    import installer
    from installer.sources import WheelFile

    owners: dict[str, str] = {}
    for path in wheels:
        destination = _ImageDestination(builder, path.name, owners)
        try:
            with WheelFile.open(path) as source, warnings.catch_warnings():
                # it tells of each __pycache__ in a wheel that it leaves out; we make bytecode of our own
                warnings.simplefilter("ignore", RuntimeWarning)
                source.validate_record(validate_contents=True)
                installer.install(
                    source=source,
                    destination=cast("installer.destinations.WheelDestination", destination),
                    additional_metadata={"INSTALLER": b"pypack\n"},
                )
        except (StepError, ArchiveError):
            raise
        except Exception as error:  # the library raises many kinds for a wheel that is not sound
            raise ArchiveError(
                f"{path.name} cannot be unpacked: {type(error).__name__}: {error}",
                do="it is damaged, or not a wheel that follows the specification",
            ) from error


def run_deps(context: Context) -> None:
    """Step: the image of all packages. Inputs: the lock; extra: the wheels that it names, in its order."""
    with ImageBuilder("deps", folder=context.product.parent) as builder:
        unpack_wheels(builder, context.extra)
        builder.add_dir(SITE)
        builder.write(context.product)
