"""Sign with a real identity, by a tool that can: ``codesign`` on a Mac, ``rcodesign`` anywhere.

What is signed ad hoc by us gets its signature replaced: first every Mach-O file inside the images that become layers,
then the bundle. The password of a certificate comes from an environment variable and is in no command, log or error.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pypack.errors import InputError, StepError, near
from pypack.pipeline import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pypack.images.image import ImageBuilder
    from pypack.pipeline import Context

Tool = Literal["rcodesign", "codesign"]

_SEE = "docs/macos.md"
_KEYS = {
    "tool": str, "identity": str, "p12": str, "password_env": str, "entitlements": str, "timestamp": bool,
    "hardened": bool,
}  # fmt: skip
_NEEDED = {"rcodesign": ("p12", "password_env"), "codesign": ("identity",)}
_FOREIGN = {"rcodesign": ("identity",), "codesign": ("p12", "password_env")}
_AT_ONCE = 4  # tools that wait for the answer of a time stamp server


@dataclass(frozen=True, kw_only=True)
class Sign:
    """Who signs, and how: ``[tool.pypack.sign]``.

    ``identity`` is the name of a certificate in the keychain (codesign); ``p12`` a certificate with its key, whose
    password is in the environment variable ``password_env`` (rcodesign). ``entitlements`` is a property list for
    programs, ``timestamp`` asks Apple's server for the time, ``hardened`` chooses the hardened runtime, which
    notarization wants.
    """

    tool: Tool
    identity: str = ""
    p12: Path | None = None
    password_env: str = ""
    entitlements: Path | None = None
    timestamp: bool = True
    hardened: bool = True


def faults(table: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with ``[tool.pypack.sign]``, one clause for each fault."""
    found = [f"sign.{key}: not known{near(key, _KEYS)}" for key in table if key not in _KEYS]
    found += [
        f"sign.{key}: must be a {kind.__name__}, is {table[key]!r}"
        for key, kind in _KEYS.items()
        if key in table and not isinstance(table[key], kind)
    ]
    tool = table.get("tool")
    if tool not in get_args(Tool):
        return [*found, f"sign.tool: must be one of {', '.join(get_args(Tool))}, is {tool!r}"]
    found += [f"sign.{key}: {tool} needs it" for key in _NEEDED[str(tool)] if not table.get(key)]
    found += [f"sign.{key}: {tool} has no use for it" for key in _FOREIGN[str(tool)] if table.get(key)]
    return found


def settings(table: Mapping[str, Any], folder: Path) -> Sign:
    """Return ``[tool.pypack.sign]`` as an object, paths counted from ``folder``; faults are an :class:`InputError`."""
    wrong = faults(table)
    if wrong:
        raise InputError("[tool.pypack.sign] cannot be used:\n" + "\n".join(f"  {each}" for each in wrong), see=_SEE)
    paths = {key: folder / table[key] for key in ("p12", "entitlements") if table.get(key)}
    for path in paths.values():
        if not path.is_file():
            raise InputError(f"{path}, named in [tool.pypack.sign], does not exist", do="mend the setting", see=_SEE)
    return Sign(**{**table, **paths})


def private(sign: Sign | None) -> tuple[Path, ...]:
    """Return the files that must not become part of an app: a key is no data file."""
    return tuple(path for path in (sign.p12, sign.entitlements) if path) if sign else ()


def sign_image_step(product: str, image: Step, sign: Sign) -> Step:
    """Return the step that signs every Mach-O file in an image: image -> image."""
    return _step(product, "sign image", run_sign_image, image, sign, {})


def sign_bundle_step(product: str, bundle: Step, sign: Sign, *, identifier: str) -> Step:
    """Return the step that signs a finished bundle. ``identifier`` is the name in the signature."""
    return _step(product, "sign bundle", run_sign_bundle, bundle, sign, {"identifier": identifier})


def _step(product: str, action: str, run: Any, source: Step, sign: Sign, more: dict[str, str]) -> Step:  # noqa: ANN401
    params = {
        "tool": sign.tool,
        "identity": sign.identity,
        "password_env": sign.password_env,
        "p12": sign.p12 is not None,
        "entitlements": sign.entitlements is not None,
        "timestamp": sign.timestamp,
        "hardened": sign.hardened,
        **more,
    }
    # a signature has a time in it: it is made here and not taken from a cache that others fill
    return Step(
        product=product, action=action, version=1, run=run, inputs=(source, *private(sign)), params=params, cached=False
    )


def run_sign_image(context: Context) -> None:
    """Step: image, certificate?, entitlements? -> the image with every Mach-O file in it signed."""
    from pypack.images import image

    sign = _given(context)

    def change(builder: ImageBuilder) -> None:
        with tempfile.TemporaryDirectory(prefix="pypack-") as name:
            files = dict(_unpacked(builder, Path(name)))
            if not files:
                return
            with _signer(context, sign) as signer, ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                list(pool.map(lambda each: signer.sign(each[1], _identifier(each[0])), files.items()))
            for path, file in files.items():
                builder.replace(path, file.read_bytes())
        context.say(f"  {sign.tool} signed {len(files)} files")

    image.rewrite(context.inputs[0], context.product, change, name=context.inputs[0].name)


def run_sign_bundle(context: Context) -> None:
    """Step: bundle, certificate?, entitlements? -> the bundle with that identity's signature."""
    from pypack.bundle import verify

    sign = _given(context)
    shutil.copyfile(context.inputs[0], context.product)
    context.product.chmod(0o755)
    with _signer(context, sign) as signer:
        signer.sign(context.product, context.params["identifier"])
    damage = verify.faults(context.product)
    if damage:
        told = "\n".join(f"  {each}" for each in damage)
        raise StepError(f"{sign.tool} damaged the bundle:\n{told}", do="try another version of the tool", see=_SEE)


def _given(context: Context) -> Sign:
    params, files = context.params, list(context.inputs[1:])
    return Sign(
        tool=cast("Tool", params["tool"]),
        identity=params["identity"],
        password_env=params["password_env"],
        p12=files.pop(0) if params["p12"] else None,
        entitlements=files.pop(0) if params["entitlements"] else None,
        timestamp=params["timestamp"],
        hardened=params["hardened"],
    )


def _unpacked(builder: ImageBuilder, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write the programs and libraries of an image to the disk, each into a folder of its own."""
    from pypack import binaries

    for number, path in enumerate(builder.paths()):
        if builder.member(path).kind != "file":
            continue
        data = builder.read(path)
        if binaries.container(data[:64]) != "macho":
            continue
        file = folder / str(number) / PurePosixPath(path).name
        file.parent.mkdir()
        file.write_bytes(data)
        found = binaries.read_file(file)
        if found and found.loadable:
            yield path, file


def _identifier(path: str) -> str:
    return PurePosixPath(path).name.split(".", 1)[0] or "pypack"


@dataclass(frozen=True, kw_only=True)
class _Signer:
    """A tool that was found, and all that it needs for one file after another."""

    context: Context
    sign_with: Sign
    program: str
    password: str
    password_file: Path | None

    def sign(self, file: Path, identifier: str) -> None:
        """Sign a file in its place and look whether that came true."""
        from pypack.macho import check

        environment = {name: value for name, value in os.environ.items() if name != self.sign_with.password_env}
        try:
            self.context.run(self._command(file, identifier), env=environment)
        except OSError as error:
            raise StepError(f"{self.program} cannot be started: {error.strerror}", see=_SEE) from error
        except StepError as error:
            told = error.what.replace(self.password, "***") if self.password else error.what
            raise StepError(f"{file.name} could not be signed: {told}", do=error.do, see=_SEE) from None
        wrong = check.faults(file)
        wrong += [f"{each.arch} is not signed by it" for each in check.signature(file) if each.state != "identity"]
        if wrong:
            raise StepError(
                f"{self.sign_with.tool} ended well, but {file.name} is not as it should be: {'; '.join(wrong)}",
                see=_SEE,
            )

    def _command(self, file: Path, identifier: str) -> list[str | Path]:
        sign = self.sign_with
        program = _is_program(file)
        if sign.tool == "codesign":
            words: list[str | Path] = [self.program, "--force", "--sign", sign.identity, "--identifier", identifier]
            words += ["--options", "runtime"] if sign.hardened else []
            words += ["--timestamp" if sign.timestamp else "--timestamp=none"]
            return words + (["--entitlements", sign.entitlements] if sign.entitlements and program else []) + [file]
        assert sign.p12 is not None  # the settings were checked
        assert self.password_file is not None  # made together with the signer
        words = [self.program, "sign", "--p12-file", sign.p12, "--p12-password-file", self.password_file]
        words += ["--binary-identifier", identifier]
        words += ["--code-signature-flags", "runtime"] if sign.hardened else []
        words += [] if sign.timestamp else ["--timestamp-url", "none"]
        return (
            words + (["--entitlements-xml-file", sign.entitlements] if sign.entitlements and program else []) + [file]
        )


def _is_program(file: Path) -> bool:
    """Say whether a file is a program: libraries have no entitlements."""
    from pypack.macho import constants, read

    return any(program.kind == constants.MH_EXECUTE for _, program in read.read_file(file))


@contextmanager
def _signer(context: Context, sign: Sign) -> Iterator[_Signer]:
    """Find the tool and hand it the password in a file that nobody else can read, for as long as it is needed."""
    program = shutil.which(sign.tool)
    if program is None:
        what = "it comes with Xcode's command line tools" if sign.tool == "codesign" else "install apple-codesign"
        raise StepError(f"{sign.tool}, which [tool.pypack.sign] names, is not on the PATH", do=what, see=_SEE)
    password = os.environ.get(sign.password_env, "") if sign.password_env else ""
    if sign.password_env and sign.password_env not in os.environ:
        raise StepError(
            f"the environment variable {sign.password_env}, which shall hold the certificate's password, is not set",
            do="set it for this build",
            see=_SEE,
        )
    with tempfile.TemporaryDirectory(prefix="pypack-") as name:  # its mode is 0700
        file = Path(name) / "password"
        if sign.password_env:
            file.touch(mode=0o600)
            file.write_text(password, encoding="utf-8")
        yield _Signer(
            context=context, sign_with=sign, program=program, password=password,
            password_file=file if sign.password_env else None,
        )  # fmt: skip
