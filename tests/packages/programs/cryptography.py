"""AES-GCM and Ed25519 against published values; X.509 certificates that are signed, verified and refused."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import verification

DISTRIBUTIONS = ["cryptography"]
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def work():
    """Encrypt, sign, and build a chain of two certificates."""
    yield from _aes()
    yield from _ed25519()
    yield from _certificates()


def _aes():
    """Test case 4 of "The Galois/Counter Mode of Operation" (McGrew, Viega), and a message that was tampered with."""
    key, nonce = bytes.fromhex("feffe9928665731c6d6a8f9467308308"), bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    more = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    box = AESGCM(key)
    sealed = box.encrypt(nonce, plain, more)
    assert sealed[-16:].hex() == "5bc94fbc3221a5db94fae95ae7121a47", sealed[-16:].hex()
    assert box.decrypt(nonce, sealed, more) == plain
    try:
        box.decrypt(nonce, sealed, more + b"!")
    except InvalidTag:
        yield f"AES-GCM: tag {sealed[-16:].hex()}, and a tampered message was refused"
    else:
        raise AssertionError("a tampered message was taken")


def _ed25519():
    """Test 1 of RFC 8032."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    signature = key.sign(b"")
    assert signature.hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    key.public_key().verify(signature, b"")
    try:
        key.public_key().verify(signature, b"other")
    except InvalidSignature:
        yield "Ed25519: RFC 8032's signature, and no other text has it"
    else:
        raise AssertionError("a signature of another text was taken")


def _certificates():
    root_key, leaf_key, stranger = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = _certificate("root", root_key.public_key(), "root", root_key, authority=True)
    leaf = _certificate("leaf.example", leaf_key.public_key(), "root", root_key)
    forged = _certificate("leaf.example", leaf_key.public_key(), "root", stranger)
    again = x509.load_pem_x509_certificate(leaf.public_bytes(serialization.Encoding.PEM))
    assert again == leaf
    store = verification.Store([root])
    verifier = verification.PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName("leaf.example"))
    chain = verifier.verify(again, [])
    assert [each.subject.rfc4514_string() for each in chain] == ["CN=leaf.example", "CN=root"]
    try:
        verifier.verify(forged, [])
    except verification.VerificationError:
        yield "X.509: a chain of two was verified, a forged certificate refused"
    else:
        raise AssertionError("a forged certificate was taken")


def _certificate(subject, key, issuer, signer, *, authority=False):
    usage = x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(identifier, critical=False)
    )
    if not authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())
