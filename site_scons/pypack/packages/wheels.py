"""Unpack wheels into one image: packages, data and metadata, with console scripts of our own."""

from __future__ import annotations

import csv
import io
import warnings
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from pypack import binaries, bytecode
from pypack.errors import ArchiveError, StepError
from pypack.images import paths
from pypack.images.image import ImageBuilder, read_image
from pypack.packages.building import boxes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from installer.records import RecordEntry
    from installer.utils import Scheme

    from pypack.images.image import Member
    from pypack.pipeline import Context
    from pypack.targets import Target

SITE = "site-packages"
"""Folder of the deps image that goes onto sys.path."""

_APART = "drop one of the two, or ask the authors to keep to their own folders"
_FOLDERS = {"purelib": SITE, "platlib": SITE, "scripts": "bin", "data": "data"}


class _ImageDestination:
    """Where ``installer`` writes to: an image instead of a file system."""

    def __init__(self, builder: ImageBuilder, wheel: str) -> None:
        self._builder, self._wheel = builder, wheel

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
        del section
        from installer.records import RecordEntry

        path = f"bin/{name}.py"
        self._put(path, console_script(module, attr), executable=False)
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
        rows = record(entry.path for kind, entry in records if kind != "headers")
        self._put(f"{SITE}/{record_file_path}", rows, executable=False)

    def _put(self, path: str, data: bytes, *, executable: bool) -> None:
        if path not in self._builder:
            self._builder.add(path, data, executable=executable)
        elif self._builder.member(path).kind != "file" or self._builder.read(path) != data:
            raise ArchiveError(f"{self._wheel} brings {path} twice, with other contents", do="tell its authors")


def console_script(module: str, attribute: str) -> bytes:
    """Return the program of a command: no interpreter's path can be known here, "#!" would name the build machine's."""
    first, _, rest = attribute.partition(".")
    called = f"run.{rest}()" if rest else "run()"
    return f"from {module} import {first} as run\nimport sys\nsys.exit({called})\n".encode()


def record(paths: Iterable[str]) -> bytes:
    """Return a RECORD of ``paths``, which count from site-packages, without hashes: layers have better ones."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((path, "", "") for path in sorted(set(paths)))
    return text.getvalue().encode()


def unpack_wheel(builder: ImageBuilder, path: Path) -> None:
    """Unpack the wheel ``path`` into ``builder``, checked against its own RECORD."""
    import installer
    from installer.sources import WheelFile

    destination = _ImageDestination(builder, path.name)
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


def merge(builder: ImageBuilder, images: Iterable[Path], *, container: str = "elf") -> None:
    """Add the images of several wheels, each named after its wheel. The same file twice must have one content.

    For Windows and macOS (``container`` pe, macho) names, of folders too, must differ in more than case.
    """
    owners: dict[str, str] = {}
    spelt: dict[str, tuple[str, str]] = {}
    for path in images:
        for member, stream in read_image(path):
            if container != "elf":
                _check_case(member.path, path.stem, spelt)
            if member.path not in builder:
                builder.add_member(member, stream)
                owners[member.path] = path.stem
            elif not _same(builder, member, stream):
                raise StepError(
                    f"{owners[member.path]} and {path.stem} both bring {member.path}, with other contents", do=_APART
                )


def _same(builder: ImageBuilder, member: Member, stream: IO[bytes] | None) -> bool:
    there = builder.member(member.path)
    if (there.kind, there.link) != (member.kind, member.link):
        return False
    return stream is None or builder.read(member.path) == stream.read()


def _check_case(path: str, owner: str, spelt: dict[str, tuple[str, str]]) -> None:
    """Refuse a path that is, but for case, another one or its folder; ``spelt`` is what came before, by folded name."""
    for name in (path, *paths.parents(path)):
        known, other = spelt.setdefault(name.casefold(), (name, owner))
        if known != name:
            owners = f"{other} and {owner} bring" if other != owner else f"{owner} brings"
            raise StepError(
                f"{owners} {known} and {name}, which are one name on Windows and macOS", do=_APART
            )  # fmt: skip


def run_wheel(context: Context) -> None:
    """Step: one wheel -> image of what it installs, with bytecode.

    Inputs: the wheel (or the box around one that was built here), and the kit where something can compile. Params: as
    for :func:`pypack.bytecode.run_compile`, without ``below``.
    """
    with ImageBuilder("wheel", folder=context.product.parent) as builder:
        with boxes.opened(context.inputs[0]) as wheel:
            unpack_wheel(builder, wheel)
        if len(context.inputs) > 1:
            bytecode.compile_image(context, builder, context.inputs[1], below=f"{SITE}/")
        builder.write(context.product)


def run_deps(context: Context) -> None:
    """Step: the image of all packages. Inputs: the lock; extra: the images of the wheels that it names.

    Params: ``target``, for which each file of native code must be made.
    """
    target: Target = context.params["target"].value
    with ImageBuilder("deps", folder=context.product.parent) as builder:
        merge(builder, context.extra, container=target.container)
        builder.add_dir(SITE)
        builder.write(context.product)
    wrong = "".join(f"\n  {each.path}: {each.why}" for each in binaries.mismatches(context.product, target))
    if wrong:
        raise StepError(
            f"packages bring code that {target.name} cannot load:{wrong}", do="ask for other versions of them"
        )
