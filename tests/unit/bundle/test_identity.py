"""Signing with a real identity: settings, and what is said to the tool. The tool is a stand-in on the PATH."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from tests.support import bundles
from tests.support.bundles import File, bundle, write
from tests.support.machos import DYLIB, Recipe, macho

from pypack.bundle import identity, verify
from pypack.bundle.identity import Sign
from pypack.errors import InputError, StepError
from pypack.formats.image import ImageBuilder, read_image
from pypack.formats.macho import check, payload, rewrite
from pypack.project import app, program
from pypack.steps.step import Context, Settings, Step

SECRET = "p4ss word$with 'quotes'"
STAND_IN = Path(__file__).parents[2] / "support" / "signing_tool.py"
SOURCES = Path(identity.__file__).parents[2]


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Put a stand-in for a signing tool on the PATH; returns what it was called with."""
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    log.mkdir()

    def install(name: str, how: str = "sign"):
        script = folder / name
        script.write_text(
            f"#!/bin/sh\nPYTHONPATH='{SOURCES}' exec '{sys.executable}' -W ignore '{STAND_IN}' '{log}' {how} \"$@\"\n"
        )
        script.chmod(0o755)
        return lambda: [json.loads(each.read_text()) for each in sorted(log.iterdir())]

    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return install


def rcodesign(tmp_path, **more) -> Sign:
    certificate = tmp_path / "identity.p12"
    certificate.write_bytes(b"certificate")
    return Sign(tool="rcodesign", p12=certificate, password_env="SIGN_PASSWORD", **more)


def image(tmp_path) -> Path:
    with ImageBuilder("image") as builder:
        builder.add(
            "bin/python3.13", rewrite.resign(macho(Recipe(payload=False)), identifier="python"), executable=True
        )
        builder.add(
            "lib/libx.1.dylib", rewrite.resign(macho(Recipe(kind=DYLIB, own="@rpath/x", payload=False)), identifier="x")
        )
        builder.add("lib/x.py", b"pass\n")
        builder.add("lib/object.o", macho(Recipe(kind=1, payload=False)))
        builder.add_link("lib/libx.dylib", "libx.1.dylib")
        builder.write(tmp_path / "image.tar")
    return tmp_path / "image.tar"


def run(step: Step, source: Path, tmp_path, said: list[str] | None = None) -> Path:
    product = tmp_path / "product"
    inputs = tuple(source if isinstance(each, Step) else each for each in step.inputs)
    say = (said if said is not None else []).append
    step.run(
        Context(
            product=product,
            inputs=inputs,
            params=step.params,
            unhashed=step.unhashed,
            settings=Settings(verbose=True, say=say),
        )
    )
    return product


def source_step(file: Path) -> Step:
    return Step(product=file.name, action="source", version=1, run=lambda context: None)


def test_every_macho_of_an_image_is_signed(tmp_path, tool, monkeypatch):
    calls = tool("rcodesign")
    monkeypatch.setenv("SIGN_PASSWORD", SECRET)
    entitlements = tmp_path / "app.plist"
    entitlements.write_text("<plist/>")
    source, said = image(tmp_path), []
    sign = rcodesign(tmp_path, entitlements=entitlements, timestamp=False)
    product = run(identity.sign_image_step("signed.tar", source_step(source), sign), source, tmp_path, said)
    states = {}
    for member, stream in read_image(product):
        if stream and member.size > 1000:
            file = tmp_path / "member"
            file.write_bytes(stream.read())
            states[member.path] = [(each.state, each.identifier, each.signer) for each in check.signature(file)]
    assert states == {
        "bin/python3.13": [("identity", "python3", "Stand-In")],
        "lib/libx.1.dylib": [("identity", "libx", "Stand-In")],
        "lib/object.o": [("none", "", "")],
    }
    made = {Path(call["words"][-1]).name: call for call in calls()}
    assert made["python3.13"]["words"][:-1] == [
        "sign", "--p12-file", str(sign.p12), "--p12-password-file", made["python3.13"]["words"][4],
        "--binary-identifier", "python3", "--code-signature-flags", "runtime", "--timestamp-url", "none",
        "--entitlements-xml-file", str(entitlements),
    ]  # fmt: skip
    assert "--entitlements-xml-file" not in made["libx.1.dylib"]["words"]
    assert {call["password"] for call in calls()} == {SECRET}
    assert {call["mode"] for call in calls()} == {0o600}
    assert not any(SECRET in value for call in calls() for value in [*call["words"], *call["environment"]])
    assert not any(SECRET in line for line in said)
    assert not Path(made["python3.13"]["words"][4]).exists()


def finished_bundle(tmp_path) -> Path:
    """A launcher with a whole bundle in it, signed ad hoc."""
    app = [File(path=name, data=b"1") for name in ("__main__.py", "boot/encodings.pyc", "launch", "pypack.json")]
    content = bundle(b"", bundles.Recipe(runtime=[File(path="bin/python3", data=b"python")], app=app))
    stub, made = write(tmp_path / "stub", macho()), tmp_path / "bundle"
    with made.open("w+b") as out:
        base = payload.begin(stub, out)
        out.write(content)
        payload.finish(out, stub, base=base, size=len(content), identifier="hello")
    return made


def test_a_bundle_is_signed_and_still_whole(tmp_path, tool, monkeypatch):
    tool("rcodesign")
    monkeypatch.setenv("SIGN_PASSWORD", SECRET)
    made = finished_bundle(tmp_path)
    assert verify.faults(made) == []
    step = identity.sign_bundle_step("signed", source_step(made), rcodesign(tmp_path), identifier="org.example.hello")
    signed = run(step, made, tmp_path)
    assert verify.faults(signed) == []
    assert [(each.state, each.identifier) for each in check.signature(signed)] == [("identity", "org.example.hello")]
    assert verify.read(signed).id == verify.read(made).id
    assert signed.stat().st_mode & 0o111
    assert check.signature(made)[0].state == "ad hoc"
    assert not step.is_cacheable


def test_codesign_is_called_with_a_name_of_the_keychain(tmp_path, tool):
    calls = tool("codesign")
    source = image(tmp_path)
    run(
        identity.sign_image_step("x", source_step(source), Sign(tool="codesign", identity="Ada", hardened=False)),
        source,
        tmp_path,
    )
    words = {Path(call["words"][-1]).name: call["words"][:-1] for call in calls()}
    assert words["libx.1.dylib"] == ["--force", "--sign", "Ada", "--identifier", "libx", "--timestamp"]


def test_a_missing_tool_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SIGN_PASSWORD", SECRET)
    source = image(tmp_path)
    with pytest.raises(StepError, match=r"rcodesign, which .* is not on the PATH") as caught:
        run(identity.sign_image_step("x", source_step(source), rcodesign(tmp_path)), source, tmp_path)
    assert caught.value.hint
    assert caught.value.docs == "docs/macos.md"


def test_a_missing_password_is_told(tmp_path, tool):
    tool("rcodesign")
    source = image(tmp_path)
    with pytest.raises(StepError, match=r"environment variable SIGN_PASSWORD, .* is not set"):
        run(identity.sign_image_step("x", source_step(source), rcodesign(tmp_path)), source, tmp_path)


def test_a_tool_that_fails_is_told_with_its_words_but_not_the_password(tmp_path, tool, monkeypatch):
    tool("rcodesign", "fail")
    monkeypatch.setenv("SIGN_PASSWORD", SECRET)
    source = image(tmp_path)
    with pytest.raises(StepError) as caught:
        run(identity.sign_image_step("x", source_step(source), rcodesign(tmp_path)), source, tmp_path)
    assert "could not be signed" in str(caught.value)
    assert "the certificate is no good; the password was ***" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("how", "why"), [("nothing", "is not signed by it"), ("damage", "pages do not have their hash")]
)
def test_a_tool_that_lies_is_found_out(tmp_path, tool, monkeypatch, how, why):
    tool("rcodesign", how)
    monkeypatch.setenv("SIGN_PASSWORD", SECRET)
    source = image(tmp_path)
    with pytest.raises(StepError, match=why):
        run(identity.sign_image_step("x", source_step(source), rcodesign(tmp_path)), source, tmp_path)


# ---- settings ----


def settings(tmp_path, text: str) -> program.Project:
    (tmp_path / "pyproject.toml").write_text(f"[tool.pypack.sign]\n{text}\n")
    (tmp_path / "main.py").write_text("")
    return program.load(tmp_path)


def test_settings(tmp_path):
    (tmp_path / "id.p12").write_bytes(b"")
    text = 'tool = "rcodesign"\np12 = "id.p12"\npassword_env = "SECRET"\ntimestamp = false'
    assert settings(tmp_path, text).sign == Sign(
        tool="rcodesign", p12=tmp_path / "id.p12", password_env="SECRET", timestamp=False
    )
    assert settings(tmp_path, 'tool = "codesign"\nidentity = "-"').sign == Sign(tool="codesign", identity="-")


def test_the_key_is_no_part_of_the_app(tmp_path):
    (tmp_path / "id[1].p12").write_bytes(b"")
    (tmp_path / "keep.p12").write_bytes(b"")
    text = 'tool = "rcodesign"\np12 = "id[1].p12"\npassword_env = "SECRET"'
    assert [each.inside for each in app.files(settings(tmp_path, text))] == ["keep.p12", "main.py"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('tool = "gpg"', ["sign.tool: must be one of rcodesign, codesign, is 'gpg'"]),
        ('tool = "rcodesign"', ["sign.p12: rcodesign needs it", "sign.password_env: rcodesign needs it"]),
        ('tool = "codesign"\np12 = "x"', ["sign.identity: codesign needs it", "sign.p12: codesign has no use for it"]),
        (
            'tool = "codesign"\nidentity = 5\npasword_env = "x"',
            ["sign.pasword_env: not known (did you mean password_env", "sign.identity: must be a text, is 5"],
        ),
        ('tool = "rcodesign"\np12 = "gone.p12"\npassword_env = "X"', ["gone.p12, named in", "does not exist"]),
    ],
)
def test_wrong_settings_are_told_all_at_once(tmp_path, text, told):
    with pytest.raises(InputError) as caught:
        settings(tmp_path, text)
    assert all(each in str(caught.value) for each in told)
