"""Keys and certificates of the sandbox: its authority, its servers' certificate, signing keys, the app's credential.

Everything is made once and kept as files in one directory, so that a restarted sandbox is still trusted by what was
told to trust it. Nothing here knows what the keys are used for, nor speaks to a network.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from joserfc.jwk import RSAKey

_RSA_BITS = 2048
_CERTIFICATE_DAYS = 3650


class TrustStore:
    """The files of one sandbox's trust, made on first use and reused afterwards.

    Attributes:
        ca_bundle: PEM file of the authority a client must trust.
        server_certificate: PEM file with the key and certificate of every server, for 127.0.0.1 and localhost.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        self.ca_bundle = directory / "ca.pem"
        self.server_certificate = directory / "server.pem"
        if not self.server_certificate.exists():
            self._issue_server_certificate()

    def signing_key(self, name: str) -> RSAKey:
        """The RSA key called ``name``, with a key id, for signing tokens."""
        return _signing_key(self._private_key(name))

    def client_certificate(self, name: str) -> Path:
        """A PEM file with an RSA key and its self-signed certificate, as an app registration would be given."""
        path = self.directory / f"{name}-certificate.pem"
        if not path.exists():
            key_pem = self._private_key(name)
            write_secret(path, key_pem + _self_signed(key_pem, name))
        return path

    def _issue_server_certificate(self) -> None:
        authority = trustme.CA(organization_name="intune_pipeline sandbox")
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        self.ca_bundle.write_bytes(authority.cert_pem.bytes())
        write_secret(self.server_certificate, certificate.private_key_and_cert_chain_pem.bytes())

    def _private_key(self, name: str) -> bytes:
        path = self.directory / f"{name}-key.pem"
        if not path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
            write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path.read_bytes()


@lru_cache
def _signing_key(pem: bytes) -> RSAKey:
    """The key in ``pem``; kept, because checking an RSA key takes longer than everything else a sandbox starts with."""
    key = RSAKey.import_key(pem)
    key.ensure_kid()
    return key


def _self_signed(key_pem: bytes, name: str) -> bytes:
    key = load_pem_private_key(key_pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file only its owner may read, in one step, so that nobody ever reads half of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.replace(path)
