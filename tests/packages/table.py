"""Which packages are tried on which targets, and what is left out and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Package:
    """``name`` is its program's; ``made_of`` and ``work`` are for people. ``{…}`` in ``arguments``: of ``Servers``."""

    name: str
    made_of: str
    work: str
    arguments: tuple[str, ...] = ()


PACKAGES = (
    Package(name="numpy", made_of="C, OpenBLAS beside it", work="linear algebra, transforms, random numbers"),
    Package(name="pydantic", made_of="Rust", work="validation with all faults, JSON, JSON schema"),
    Package(name="cryptography", made_of="Rust, OpenSSL", work="AES-GCM, Ed25519, X.509 verified and refused"),
    Package(name="lxml", made_of="C, libxml2", work="XPath, XSLT, XML Schema, Schematron (data files)"),
    Package(name="pillow", made_of="C, libraries beside it", work="draw; PNG, JPEG, WebP; compare pixels"),
    Package(name="orjson", made_of="Rust", work="JSON both ways, faults with their line"),
    Package(name="psutil", made_of="C", work="its own process, a child, the machine"),
    Package(name="sqlalchemy", made_of="Cython", work="joins and a rolled back transaction on SQLite"),
    Package(name="tzdata", made_of="data", work="zones without the system's files"),
    Package(
        name="httpx", made_of="pure, with certifi", work="TLS to a local server, two certificates refused",
        arguments=("{address}", "{authority}", "{wrong}"),
    ),
    Package(name="pyyaml", made_of="C, libyaml", work="CSafeLoader and CSafeDumper"),
    Package(name="grpcio", made_of="C++", work="server and client: answers, a stream, a deadline"),
    Package(name="tiktoken", made_of="Rust", work="byte pairs; plugins in a namespace package"),
)  # fmt: skip

TARGETS = {
    "linux-gnu-x86_64": "host",
    "linux-gnu-aarch64": "source",
    "linux-musl-x86_64": "source",
    "windows-x86_64": "embed",
}
"""Where each target's Python comes from, as no release archive can be had where the tests run."""

LEFT_OUT: dict[tuple[str, str], str] = {
    ("pillow", "linux-gnu-aarch64"): "its wheel takes the system's `libz.so.1`, and Debian has no cross package of it",
}
"""(package, target) -> why it is not tried there."""

LIMITS: dict[tuple[str, str], str] = {("numpy", "windows-x86_64"): "before 2.2: wine 8 lacks `crealf`"}
"""(package, target) -> which version is tried there (programs/requirements.txt), and why not the newest."""


def markdown() -> str:
    """Return the table for people, as it stands in docs/dependencies.md."""
    rows = [("package", "native code", "what its program does", *(f"`{target}`" for target in TARGETS))]
    rows.append(("---",) * len(rows[0]))
    rows += [
        (package.name, package.made_of, package.work, *(_cell(package.name, target) for target in TARGETS))
        for package in PACKAGES
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(package: str, target: str) -> str:
    why = LEFT_OUT.get((package, target))
    return f"no: {why}" if why else LIMITS.get((package, target), "yes")
