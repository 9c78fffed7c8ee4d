"""The sandbox cloud: one object that puts the parts together, runs them and says how to reach them.

Each part's behaviour is in its own module; nothing is answered here.
"""

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from starlette.applications import Starlette
from starlette.routing import Route

from intune_pipeline.sandbox import server, sign_in
from intune_pipeline.sandbox.app_registration import AppRegistration
from intune_pipeline.sandbox.authorization_codes import AuthorizationCodes
from intune_pipeline.sandbox.control import Control
from intune_pipeline.sandbox.entra import Account, EntraService
from intune_pipeline.sandbox.entra_pages import EntraPages
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.graph import GraphService
from intune_pipeline.sandbox.mailbox import Mailbox
from intune_pipeline.sandbox.request_log import RequestLog
from intune_pipeline.sandbox.sign_in import SignInProvider
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.sandbox.tokens import TokenSigner
from intune_pipeline.sandbox.trust import TrustStore


class SandboxCloud:
    """A Microsoft cloud with some tenants, and the sign-in provider of the portal.

    Use it as ``with SandboxCloud(tenants=[...]).running() as cloud:``. Tenants, faults and the request log are live:
    what a test changes acts on the next request.

    Args:
        tenants: The customers.
        directory: Where keys and certificates are kept; None for a temporary directory of this object.
        ports: Ports for login, Graph and sign-in; 0 for a free one.
        mail_port: Port of the mail server, likewise.

    Attributes:
        faults: What goes wrong on purpose.
        mailbox: What was sent by e-mail.
        requests: What was asked.
        login_url: Origin of Entra.
        graph_url: Origin of Graph, without a version.
        sign_in_url: Issuer of the portal's sign-in, ending in a slash.
    """

    def __init__(
        self,
        tenants: Iterable[SandboxTenant] = (),
        directory: Path | None = None,
        ports: tuple[int, int, int] = (0, 0, 0),
        mail_port: int = 0,
    ) -> None:
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="sandbox-"))
            weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self._tenants = {tenant.tenant_id: tenant for tenant in tenants}
        self._trust = TrustStore(directory)
        self._registration = AppRegistration.create(self._trust)
        self._sockets = [server.listen(port) for port in ports]
        self.mailbox = Mailbox(mail_port)
        self.faults = Faults()
        self.requests = RequestLog()
        login_port, graph_port, sign_in_port = (listening.getsockname()[1] for listening in self._sockets)
        self.login_url = f"https://127.0.0.1:{login_port}"
        self.graph_url = f"https://127.0.0.1:{graph_port}"
        # A browser that does not know the sandbox's authority would warn before the first page of a demo.
        self.sign_in_url = f"http://127.0.0.1:{sign_in_port}/"
        self._entra_signer = TokenSigner(self._trust.signing_key("entra"))
        self._sign_in = SignInProvider(
            [tenant.name for tenant in self.tenants], TokenSigner(self._trust.signing_key("sign-in")), self.sign_in_url
        )

    @property
    def registration(self) -> AppRegistration:
        """The product's app as Entra knows it; its manifest may be changed."""
        return self._registration

    @property
    def ca_bundle(self) -> Path:
        """PEM file of the authority to trust."""
        return self._trust.ca_bundle

    @property
    def client_id(self) -> str:
        """The product's app id."""
        return self._registration.client_id

    @property
    def client_secret(self) -> str:
        """The app's secret."""
        return self._registration.client_secret

    @property
    def client_certificate(self) -> Path:
        """PEM file with the app's key and certificate."""
        return self._registration.certificate

    @property
    def federated_token_file(self) -> Path:
        """File with a federated assertion the app may use instead."""
        return self._registration.federated_token_file

    @property
    def tenants(self) -> tuple[SandboxTenant, ...]:
        """Every tenant."""
        return tuple(self._tenants.values())

    def tenant(self, tenant_id: str) -> SandboxTenant:
        """One tenant.

        Raises:
            KeyError: No such tenant.
        """
        return self._tenants[tenant_id]

    def environment(self) -> dict[str, str]:
        """The settings that point the product at this sandbox."""
        return {
            "MICROSOFT_CLIENT_ID": self.client_id,
            "MICROSOFT_CLIENT_SECRET": self.client_secret,
            "MICROSOFT_LOGIN_URL": self.login_url,
            "MICROSOFT_GRAPH_URL": self.graph_url,
            "MICROSOFT_CA_BUNDLE": str(self.ca_bundle),
            "AUTH0_DOMAIN": self.sign_in_url.removeprefix("http://").rstrip("/"),
            "AUTH0_ISSUER": self.sign_in_url,
            "AUTH0_CLIENT_ID": sign_in.CLIENT_ID,
            "AUTH0_CLIENT_SECRET": sign_in.CLIENT_SECRET,
            "AUTH0_AUDIENCE": sign_in.AUDIENCE,
        }

    def sign_in_token(self, user: str, seconds: int = sign_in.TOKEN_SECONDS) -> str:
        """An access token for the portal's API, as signing in would give it.

        Args:
            user: Such as ``acme-primary``, ``acme-secondary`` or ``acme-no-beta``.
            seconds: How long it is good for; negative for one that has expired.

        Raises:
            KeyError: No such user.
        """
        return self._sign_in.access_token(user, seconds=seconds)

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Serve until the block ends; an object runs once."""
        for tenant in self.tenants:
            tenant.listing()  # sorted before anybody measures the first page
        applications = (
            Starlette(routes=[*self._control().routes(), *self._entra_routes()]),
            GraphService(self._tenants, self.faults, self.requests, self._entra_signer, self.graph_url).app(),
            Starlette(routes=self._sign_in.routes()),
        )
        certificates = (self._trust.server_certificate, self._trust.server_certificate, None)
        with self.mailbox.running(), server.serving(list(zip(self._sockets, applications, certificates, strict=True))):
            yield self

    def _control(self) -> Control:
        return Control(
            self._tenants,
            self._registration,
            self.faults,
            self.requests,
            self._sign_in,
            self.environment(),
            self.mailbox,
        )

    def _entra_routes(self) -> list[Route]:
        codes: AuthorizationCodes[Account] = AuthorizationCodes()
        service = EntraService(
            self._tenants,
            self._registration,
            codes,
            self._entra_signer,
            self.faults,
            self.requests,
            self.login_url,
            self.graph_url,
        )
        return [*service.routes(), *EntraPages(self._tenants, self._registration, codes).routes()]
