"""Who signed: the name of the certificate in a CMS signature (RFC 5652), without believing the signature.

Only names are read. Whether they are true is for ``codesign --verify`` or ``rcodesign verify`` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMON_NAME = bytes.fromhex("0603550403")  # OID 2.5.4.3
_SEQUENCE, _SET, _CERTIFICATES = 0x30, 0x31, 0xA0
_LONG = 0x80


@dataclass(frozen=True)
class _Node:
    tag: int
    body: bytes
    whole: bytes


def signer(data: bytes) -> str:
    """Return the common name of the certificate that no other one in ``data`` was issued by, or ``""``."""
    try:
        certificates = [_names(certificate) for certificate in _certificates(data)]
    except (ValueError, IndexError):
        return ""
    issuers = {issuer for issuer, subject in certificates if issuer != subject}
    leaves = [subject for _, subject in certificates if subject not in issuers]
    return _common_name(leaves[0]) if leaves else ""


def _certificates(data: bytes) -> Iterator[bytes]:
    """ContentInfo -> [0] -> SignedData -> certificates [0]."""
    content = _children(_node(data).body)
    signed = _children(_node(content[1].body).body)
    for part in signed[3:]:
        if part.tag == _CERTIFICATES:
            yield from (node.body for node in _children(part.body) if node.tag == _SEQUENCE)


def _names(certificate: bytes) -> tuple[bytes, bytes]:
    """Return the names of issuer and subject out of a certificate's content (RFC 5280, 4.1)."""
    parts = _children(_children(certificate)[0].body)
    first = 1 if parts[0].tag == _CERTIFICATES else 0  # the version may be left out
    return parts[first + 2].whole, parts[first + 4].whole


def _common_name(name: bytes) -> str:
    for relative in _children(_node(name).body):
        for pair in _children(relative.body):
            if pair.body.startswith(_COMMON_NAME):
                return _children(pair.body)[1].body.decode("utf-8", "replace")
    return ""


def _children(data: bytes) -> list[_Node]:
    nodes = []
    while data:
        node = _node(data)
        nodes.append(node)
        data = data[len(node.whole) :]
    return nodes


def _node(data: bytes) -> _Node:
    """Read one element of DER; also with the indefinite length that CMS may have outside."""
    tag, length, at = data[0], data[1], 2
    if length == _LONG:
        return _indefinite(data)
    if length > _LONG:
        at += length - _LONG
        length = int.from_bytes(data[2:at], "big")
    if at + length > len(data):
        raise ValueError("an element of the signature is cut short")
    return _Node(tag, data[at : at + length], data[: at + length])


def _indefinite(data: bytes) -> _Node:
    at = 2
    while data[at : at + 2] != b"\0\0":
        at += len(_node(data[at:]).whole)
    return _Node(data[0], data[2:at], data[: at + 2])
