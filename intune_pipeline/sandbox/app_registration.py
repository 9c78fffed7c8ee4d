"""The product's app as Entra knows it: its id and every credential it may prove itself with."""

from dataclasses import dataclass, field
from pathlib import Path

from starlette.datastructures import FormData

from intune_pipeline.sandbox.tokens import InvalidTokenError, TokenSigner
from intune_pipeline.sandbox.trust import TrustStore, write_secret

CLIENT_ID = "5a6e7b1c-0f1e-4c55-9d6a-2f0c1b7a9e11"
CLIENT_SECRET = "sandbox~secret.of-no-use-anywhere-else"  # noqa: S105
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FEDERATED_AUDIENCE = "api://AzureADTokenExchange"
_FEDERATED_SUBJECT = "system:serviceaccount:allwhere:intune-pipeline"
_FEDERATED_SECONDS = 24 * 60 * 60


class BadCredentialError(Exception):
    """The caller did not prove to be the app."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class AppRegistration:
    """One multi-tenant app with a secret, a certificate and a trusted workload identity.

    Attributes:
        client_id: The app's id.
        client_secret: Its secret.
        certificate: PEM file with key and certificate for client assertions.
        federated_token_file: File with an assertion of the workload identity provider, as Kubernetes projects one.
        group_membership_claims: ``groupMembershipClaims`` of its manifest. ``DirectoryRole`` or ``All`` makes Entra put
            people's directory roles into their tokens; None, as new apps have it, does not.
    """

    client_id: str
    client_secret: str = field(repr=False)
    certificate: Path
    federated_token_file: Path
    _certificate_signer: TokenSigner = field(repr=False)
    _federated_signer: TokenSigner = field(repr=False)
    group_membership_claims: str | None = "DirectoryRole"

    @property
    def emits_directory_roles(self) -> bool:
        """Whether id tokens carry ``wids``."""
        return self.group_membership_claims in {"DirectoryRole", "All"}

    @classmethod
    def create(cls, trust: TrustStore) -> "AppRegistration":
        """The app with credentials from ``trust``; the federated token is written anew and lasts a day."""
        federated = TokenSigner(trust.signing_key("workload-identity"))
        token_file = trust.directory / "federated-token"
        claims = {"iss": "https://kubernetes.example", "sub": _FEDERATED_SUBJECT, "aud": _FEDERATED_AUDIENCE}
        write_secret(token_file, federated.sign(claims, seconds=_FEDERATED_SECONDS).encode())
        return cls(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            certificate=trust.client_certificate("app"),
            federated_token_file=token_file,
            _certificate_signer=TokenSigner(trust.signing_key("app")),
            _federated_signer=federated,
        )

    def authenticate(self, form: FormData, token_endpoint: str) -> None:
        """Check the credential of a token request.

        Raises:
            BadCredentialError: It is missing or wrong, with the AADSTS code Entra gives.
        """
        if form.get("client_assertion_type") == _ASSERTION_TYPE:
            self._check_assertion(str(form.get("client_assertion", "")), token_endpoint)
        elif "client_secret" not in form:
            raise BadCredentialError(7000218, "The request body must contain: 'client_assertion' or 'client_secret'.")
        elif form["client_secret"] != self.client_secret:
            raise BadCredentialError(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
                f"not the client secret ID, for a secret added to app '{self.client_id}'.",
            )

    def _check_assertion(self, assertion: str, token_endpoint: str) -> None:
        try:
            claims = self._certificate_signer.verify(assertion, audience=token_endpoint)
        except InvalidTokenError:
            self._check_federated(assertion)
        else:
            if claims.get("iss") != self.client_id or claims.get("sub") != self.client_id:
                raise BadCredentialError(700027, "Client assertion failed signature validation.")

    def _check_federated(self, assertion: str) -> None:
        try:
            claims = self._federated_signer.verify(assertion, audience=_FEDERATED_AUDIENCE)
        except InvalidTokenError as error:
            raise BadCredentialError(700027, "Client assertion failed signature validation.") from error
        if claims.get("sub") != _FEDERATED_SUBJECT:
            raise BadCredentialError(
                700213,
                "No matching federated identity record found for presented assertion subject "
                f"'{claims.get('sub')}'. Check your federated identity credential Subject, Audience and Issuer.",
            )
