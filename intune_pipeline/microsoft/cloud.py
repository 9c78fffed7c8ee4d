"""Which Microsoft cloud to talk to, and as which application.

Belongs here: two plain values that settings are turned into. Does not belong here: reading the environment
(``settings``), asking for tokens (`tokens`).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from intune_pipeline.errors import PipelineError, WrongUseError


class CredentialFileError(PipelineError):
    """A credential file cannot be used; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class MicrosoftCloud:
    """Addresses of one Microsoft cloud: the public one, a national one, or the sandbox.

    Attributes:
        login_url: Entra's origin, ``https://login.microsoftonline.com`` in the public cloud.
        graph_url: Graph's origin without version, ``https://graph.microsoft.com`` in the public cloud.
        ca_bundle: PEM file of the authorities to trust for both; None trusts the system's.

    Raises:
        WrongUseError: an address is not an https origin.
    """

    login_url: str
    graph_url: str
    ca_bundle: Path | None = None

    def __post_init__(self) -> None:
        for name in ("login_url", "graph_url"):
            url = getattr(self, name)
            parts = urlsplit(url)
            if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
                raise WrongUseError(f"{name} must be an https origin such as https://graph.microsoft.com, not {url!r}.")
            object.__setattr__(self, name, f"https://{parts.netloc}")

    @property
    def scope(self) -> str:
        """The scope that asks for every permission the customer granted."""
        return f"{self.graph_url}/.default"

    @property
    def verify(self) -> str | bool:
        """The value for ``verify`` in `requests`."""
        return str(self.ca_bundle) if self.ca_bundle else True


@dataclass(frozen=True, slots=True)
class Credential:
    """The multi-tenant application and the one thing that proves it is us. Never shown by ``repr``.

    Attributes:
        client_id: the application's id.
        client_secret: a client secret.
        client_certificate: a PEM file with the private key and its certificate.
        federated_token_file: a file with a signed assertion, read anew for every token (workload identity).

    Raises:
        WrongUseError: none or several of the three are given.
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    client_certificate: Path | None = None
    federated_token_file: Path | None = None

    def __post_init__(self) -> None:
        given = [self.client_secret, self.client_certificate, self.federated_token_file]
        if sum(value is not None for value in given) != 1:
            raise WrongUseError("Give exactly one of client secret, client certificate and federated token file.")

    def for_msal(self) -> str | dict[str, Any]:
        """The form MSAL takes as ``client_credential``.

        Raises:
            CredentialFileError: the certificate file cannot be read or holds something else.
        """
        if self.client_certificate is not None:
            pem = _read(self.client_certificate)
            if not _holds_key_and_certificate(pem):
                raise CredentialFileError(
                    f"{self.client_certificate} must hold an unencrypted private key and its certificate in PEM form"
                )
            return {"private_key": pem, "public_certificate": pem}
        if self.federated_token_file is not None:
            token_file = self.federated_token_file
            return {"client_assertion": lambda: _read(token_file).strip()}
        return self.client_secret or ""


def _holds_key_and_certificate(pem: str) -> bool:
    # Imported here, as most apps have a secret, and X.509 takes longer to import than the rest of this package.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(pem.encode(), password=None)
        x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CredentialFileError(f"{path} cannot be read: {reason}") from None
