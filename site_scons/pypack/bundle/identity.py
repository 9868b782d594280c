"""Sign with a real identity: by ``codesign`` on a Mac, by ``rcodesign`` anywhere.

The ad hoc signatures of pypack are replaced: first every Mach-O file inside the images that become layers,
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
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

from pypack.base import declare
from pypack.base.declare import Setting, declared
from pypack.errors import InputError, StepError
from pypack.steps.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pypack.formats.image import ImageBuilder
    from pypack.steps.step import Context

Tool = Literal["rcodesign", "codesign"]

_READ = "docs/macos.md"
NEEDED = {"rcodesign": ("p12", "password_env"), "codesign": ("identity",)}
FOREIGN = {"rcodesign": ("identity",), "codesign": ("p12", "password_env")}
"""The settings that each tool needs, and those that it does not support."""
_AT_ONCE = 4  # tools that wait for the answer of a time stamp server


@dataclass(frozen=True, kw_only=True)
class Sign:
    """Who signs, and how: ``[tool.pypack.sign]``.

    ``p12`` is a certificate with its key; ``hardened`` chooses the hardened runtime, which notarization wants.
    """

    tool: Annotated[Tool, Setting(help="the tool that signs")]
    identity: Annotated[str, Setting(help="name of a certificate in the keychain (codesign)")] = ""
    p12: Annotated[Path | None, Setting(help="file with a certificate and its key (rcodesign)")] = None
    password_env: Annotated[str, Setting(help="environment variable with the password of p12 (rcodesign)")] = ""
    entitlements: Annotated[Path | None, Setting(help="property list with entitlements for programs")] = None
    timestamp: Annotated[bool, Setting(help="ask Apple's server for the time")] = True
    hardened: Annotated[bool, Setting(help="choose the hardened runtime, which notarization wants")] = True


def faults(table: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with ``[tool.pypack.sign]``, one clause for each fault."""
    messages = declare.faults(declared(Sign), table, "sign.")
    tool = table.get("tool")
    if tool is None:
        return [*messages, f"sign.tool: must be one of {', '.join(get_args(Tool))}, is {tool!r}"]
    if tool not in get_args(Tool):
        return messages
    messages += [f"sign.{key}: {tool} needs it" for key in NEEDED[str(tool)] if not table.get(key)]
    messages += [f"sign.{key}: {tool} has no use for it" for key in FOREIGN[str(tool)] if table.get(key)]
    return messages


def settings(table: Mapping[str, Any], folder: Path) -> Sign:
    """Return ``[tool.pypack.sign]`` as an object, paths counted from ``folder``; faults are an :class:`InputError`."""
    messages = faults(table)
    if messages:
        raise InputError(
            "[tool.pypack.sign] cannot be used:\n" + "\n".join(f"  {fault}" for fault in messages),
            hint="change these keys",
            docs=_READ,
        )
    sign = Sign(**declare.with_absolute_paths(declared(Sign), table, lambda path: folder / path))
    for path in private(sign):
        if not path.is_file():
            raise InputError(
                f"{path}, named in [tool.pypack.sign], does not exist", hint="mend the setting", docs=_READ
            )
    return sign


def private(sign: Sign | None) -> tuple[Path, ...]:
    """Return the files that must not become part of an app: a key is no data file."""
    return tuple(path for path in (sign.p12, sign.entitlements) if path) if sign else ()


def sign_image_step(product: str, image: Step, sign: Sign) -> Step:
    """Return the step that signs every Mach-O file in an image: image -> image."""
    return _step(product, "sign image", run_sign_image, image, sign, {})


def sign_bundle_step(product: str, bundle: Step, sign: Sign, *, identifier: str) -> Step:
    """Return the step that signs a finished bundle. ``identifier`` is the name in the signature."""
    return _step(product, "sign bundle", run_sign_bundle, bundle, sign, {"identifier": identifier})


def _step(product: str, action: str, run: Any, source: Step, sign: Sign, extra: dict[str, str]) -> Step:  # noqa: ANN401
    params = {
        "tool": sign.tool,
        "identity": sign.identity,
        "password_env": sign.password_env,
        "p12": sign.p12 is not None,
        "entitlements": sign.entitlements is not None,
        "timestamp": sign.timestamp,
        "hardened": sign.hardened,
        **extra,
    }
    # a signature has a time in it, and the certificate in a keychain may be another one tomorrow
    return Step(
        product=product, action=action, version=1, run=run, inputs=(source, *private(sign)), params=params,
        reproducible=False,
    )  # fmt: skip


def run_sign_image(context: Context) -> None:
    """Step: image, certificate?, entitlements? -> the image with every Mach-O file in it signed."""
    from pypack.formats import image

    sign = _read_params(context)

    def change(builder: ImageBuilder) -> None:
        with tempfile.TemporaryDirectory(prefix="pypack-") as name:
            files = dict(_unpack_binaries(builder, Path(name)))
            if not files:
                return
            with _signer(context, sign) as signer, ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                list(pool.map(lambda item: signer.sign(item[1], _identifier(item[0])), files.items()))
            for path, file in files.items():
                builder.replace(path, file.read_bytes())
        context.say(f"  {sign.tool} signed {len(files)} files")

    image.rewrite(context.inputs[0], context.product, change, name=context.inputs[0].name)


def run_sign_bundle(context: Context) -> None:
    """Step: bundle, certificate?, entitlements? -> the bundle with that identity's signature."""
    from pypack.bundle import verify

    sign = _read_params(context)
    shutil.copyfile(context.inputs[0], context.product)
    context.product.chmod(0o755)
    with _signer(context, sign) as signer:
        signer.sign(context.product, context.params["identifier"])
    faults = verify.faults(context.product)
    if faults:
        details = "\n".join(f"  {fault}" for fault in faults)
        raise StepError(
            f"{sign.tool} damaged the bundle:\n{details}", hint="try another version of the tool", docs=_READ
        )


def _read_params(context: Context) -> Sign:
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


def _unpack_binaries(builder: ImageBuilder, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write the programs and libraries of an image to the disk, each into its own folder; yield both paths."""
    from pypack.formats import binaries

    for number, path in enumerate(builder.paths()):
        if builder.member(path).kind != "file":
            continue
        data = builder.read(path)
        if binaries.container(data[:64]) != "macho":
            continue
        file = folder / str(number) / PurePosixPath(path).name
        file.parent.mkdir()
        file.write_bytes(data)
        binary = binaries.read_file(file)
        if binary and binary.loadable:
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
        """Sign a file in place and check the result."""
        from pypack.formats.macho import check

        environment = {name: value for name, value in os.environ.items() if name != self.sign_with.password_env}
        try:
            self.context.run(self._command(file, identifier), env=environment)
        except OSError as error:
            raise StepError(
                f"{self.program} cannot be started: {error.strerror}",
                hint="install it, or name another tool",
                docs=_READ,
            ) from error
        except StepError as error:
            message = error.what.replace(self.password, "***") if self.password else error.what
            raise StepError(f"{file.name} could not be signed: {message}", hint=error.hint, docs=_READ) from None
        wrong = check.faults(file)
        wrong += [
            f"{signature.arch} is not signed by it"
            for signature in check.signature(file)
            if signature.state != "identity"
        ]
        if wrong:
            raise StepError(
                f"{self.sign_with.tool} ended well, but {file.name} is not as it should be: {'; '.join(wrong)}",
                hint="look at what the tool printed (-vv), or try another tool",
                docs=_READ,
            )

    def _command(self, file: Path, identifier: str) -> list[str | Path]:
        sign = self.sign_with
        program = _is_program(file)
        if sign.tool == "codesign":
            arguments: list[str | Path] = [self.program, "--force", "--sign", sign.identity, "--identifier", identifier]
            arguments += ["--options", "runtime"] if sign.hardened else []
            arguments += ["--timestamp" if sign.timestamp else "--timestamp=none"]
            return arguments + (["--entitlements", sign.entitlements] if sign.entitlements and program else []) + [file]
        assert sign.p12 is not None  # the settings were checked
        assert self.password_file is not None  # made together with the signer
        arguments = [self.program, "sign", "--p12-file", sign.p12, "--p12-password-file", self.password_file]
        arguments += ["--binary-identifier", identifier]
        arguments += ["--code-signature-flags", "runtime"] if sign.hardened else []
        arguments += [] if sign.timestamp else ["--timestamp-url", "none"]
        return (
            arguments
            + (["--entitlements-xml-file", sign.entitlements] if sign.entitlements and program else [])
            + [file]
        )


def _is_program(file: Path) -> bool:
    """Say whether a file is a program: libraries have no entitlements."""
    from pypack.formats.macho import constants, read

    return any(program.kind == constants.MH_EXECUTE for _, program in read.read_file(file))


@contextmanager
def _signer(context: Context, sign: Sign) -> Iterator[_Signer]:
    """Find the tool and hand it the password in a file that nobody else can read, for as long as it is needed."""
    program = shutil.which(sign.tool)
    if program is None:
        hint = "it comes with Xcode's command line tools" if sign.tool == "codesign" else "install apple-codesign"
        raise StepError(f"{sign.tool}, which [tool.pypack.sign] names, is not on the PATH", hint=hint, docs=_READ)
    password = os.environ.get(sign.password_env, "") if sign.password_env else ""
    if sign.password_env and sign.password_env not in os.environ:
        raise StepError(
            f"the environment variable {sign.password_env}, which shall hold the certificate's password, is not set",
            hint="set it for this build",
            docs=_READ,
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
