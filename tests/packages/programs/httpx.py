"""HTTPS to local servers: one whose authority is known, one whose certificate is for another name."""

import ssl
from pathlib import Path

import certifi
import httpx

DISTRIBUTIONS = ["httpx", "certifi"]


def work(address, authority, wrong):
    """``address`` is to be believed with the file ``authority``, and with nothing else; ``wrong`` never."""
    context = ssl.create_default_context(cafile=authority)
    with httpx.Client(verify=context, trust_env=False) as client:
        answer = client.get(address)
        assert (answer.status_code, answer.text) == (200, "hello over TLS"), answer
        yield f"{answer.http_version} {answer.status_code}: {answer.text}"
        yield f"refused, another name: {_refusal(client, wrong)}"
    with httpx.Client(trust_env=False) as client:  # the authorities of the package certifi
        yield f"refused, unknown authority: {_refusal(client, address)}"
    bundle = Path(certifi.where())
    known = ssl.create_default_context(cafile=certifi.where()).cert_store_stats()["x509_ca"]
    assert known > 100, known
    assert "BEGIN CERTIFICATE" in bundle.read_text(encoding="utf-8")
    yield f"certifi: {known} authorities; {ssl.OPENSSL_VERSION}"


def _refusal(client, address):
    try:
        client.get(address)
    except httpx.ConnectError as error:
        assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
        return str(error).partition("failed: ")[2].partition(" (_ssl")[0]
    raise AssertionError(f"{address} was believed")
