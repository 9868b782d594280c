"""A stand-in for rcodesign and codesign: notes how it was called, and signs with a made-up identity.

Arguments: folder of notes, what to do (sign, fail, nothing, damage), then the words of the caller, the file last.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from pathlib import Path


def certificate() -> bytes:
    """Give a CMS signature that holds nothing but a certificate's names (RFC 5652, RFC 5280)."""

    def node(tag: int, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body

    name = node(0x30, node(0x31, node(0x30, bytes.fromhex("0603550403"), node(0x0C, b"Stand-In"))))
    fields = node(0x30, node(0xA0, b"\2\1\2"), b"\2\1\5", node(0x30), name, node(0x30), name)
    chain = node(0x30, fields, node(0x30), b"\3\1\0")
    signed = node(0x30, b"\2\1\1", node(0x31), node(0x30), node(0xA0, chain))
    return node(0x30, b"\6\1\1", node(0xA0, signed))


def sign(file: Path, identifier: str) -> None:
    """Sign as an identity: not ad hoc, with a certificate."""
    from pypack.formats.macho import rewrite
    from pypack.formats.macho import sign as signatures

    body = certificate()
    signatures._NO_CMS = struct.pack(">II", 0xFADE0B01, 8 + len(body)) + body
    signatures._AD_HOC = 0x10000
    file.write_bytes(rewrite.resign(file.read_bytes(), identifier=identifier))


def main() -> int:
    """Do what the second argument says."""
    notes, how, *words = sys.argv[1:]
    secret = Path(words[words.index("--p12-password-file") + 1]) if "--p12-password-file" in words else None
    password = secret.read_text(encoding="utf-8") if secret else ""
    told = {
        "words": words,
        "environment": sorted(os.environ.values()),
        "password": password,
        "mode": secret.stat().st_mode & 0o777 if secret else 0,
    }
    (Path(notes) / f"{time.monotonic_ns()}-{os.getpid()}.json").write_text(json.dumps(told), encoding="utf-8")
    file = Path(words[-1])
    if how == "fail":
        print(f"error: the certificate is no good; the password was {password}")
        return 3
    flag = "--binary-identifier" if "--binary-identifier" in words else "--identifier"
    if how != "nothing":
        sign(file, words[words.index(flag) + 1])
    if how == "damage":
        data = bytearray(file.read_bytes())
        data[0x900] ^= 1
        file.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
