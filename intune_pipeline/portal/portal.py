"""What every request of the portal needs, made once per application.

Belongs here: the parts and how a route gets at them. Does not belong here: routes, and what the parts do.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

from fastapi import Request
from sqlalchemy import Connection, Engine

from intune_pipeline.inventory import accounts
from intune_pipeline.inventory.accounts import Account
from intune_pipeline.inventory.roles import act_in_transaction, acting_for
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.portal.access_tokens import AccessTokens
from intune_pipeline.portal.seal import Seal
from intune_pipeline.portal.webhook_client import WebhookClient
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings


@dataclass(frozen=True)
class PortalContext:
    """The parts of one running portal.

    Attributes:
        settings: the portal's own settings.
        pipeline: what the portal shares with the pipeline.
        microsoft: our application at Microsoft.
        access_tokens: checks the sign-in provider's tokens.
        clock: the present moment, with time zone.
    """

    settings: PortalSettings
    pipeline: Settings
    microsoft: MicrosoftSettings
    access_tokens: AccessTokens
    clock: Callable[[], datetime]
    _engine: Engine = field(repr=False)
    _accounts: dict[int, Account] = field(default_factory=dict, init=False, repr=False)

    @contextlib.contextmanager
    def transaction(self, account: Account) -> Iterator[Connection]:
        """A transaction on behalf of one account: how a request about an account gets a database connection.

        The account's id is the transaction's ``app.account_id``, which row-level security goes by. Do nothing slow in it:
        the connection is taken from all other requests meanwhile.

        Args:
            account: whose data is read and written.
        """
        with self.transaction_for(account.id) as db:
            yield db

    @contextlib.contextmanager
    def transaction_for(self, account_id: int) -> Iterator[Connection]:
        """The same for an account known by its id only, which may be one that is not there: then nothing is found."""
        with self._engine.begin() as db:
            act_in_transaction(db, account_id)
            yield db

    @contextlib.contextmanager
    def engine_for(self, account: Account) -> Iterator[Engine]:
        """The database on behalf of one account, for work of several transactions: undoing a run.

        Whatever begins inside, in this thread, acts for the account only.
        """
        with acting_for(account.id):
            yield self._engine

    @contextlib.contextmanager
    def system_transaction(self) -> Iterator[Connection]:
        """A transaction of the portal itself: sessions, limits, security counts, and what it does for every account."""
        with self._engine.begin() as db:
            yield db

    def account(self, account_id: int) -> Account:
        """The account of this id. Its id and slug never change, so what was found is remembered."""
        if account_id not in self._accounts:
            with self.transaction_for(account_id) as db:
                self._accounts[account_id] = accounts.by_id(db, account_id)
        return self._accounts[account_id]

    @property
    def debounce(self) -> timedelta:
        """How long after a sync the next Sync Now is too early."""
        return timedelta(minutes=self.pipeline.intune_sync_debounce_minutes)

    @cached_property
    def seal(self) -> Seal:
        """Seals the sign-in at Microsoft while the browser is away."""
        return Seal(self.settings.portal_session_secret, "sign-in at Microsoft")

    @cached_property
    def form_seal(self) -> Seal:
        """Seals forms that are kept until their sender has signed in again."""
        return Seal(self.settings.portal_session_secret, "kept form")

    @cached_property
    def vault(self) -> Vault:
        """Bypass codes."""
        return Vault(self.pipeline.bypass_code_keys)

    @cached_property
    def webhook_client(self) -> WebhookClient:
        """Sends to customers' receivers; to this machine in the sandbox only."""
        return WebhookClient(loopback=self.microsoft.is_sandbox, ca_bundle=self.microsoft.microsoft_ca_bundle)

    @property
    def https(self) -> bool:
        """Whether the portal's public address is https."""
        return urlsplit(self.settings.portal_url).scheme == "https"

    @property
    def host(self) -> str:
        """The name browsers know the portal by."""
        return urlsplit(self.settings.portal_url).hostname or ""

    def address(self, path: str) -> str:
        """The public address of a path of the portal."""
        return f"{self.settings.portal_url.rstrip('/')}{path}"


async def portal_of(request: Request) -> PortalContext:
    """Dependency: the application's parts.

    Like all dependencies that wait for nothing it is ``async``, which saves the way to a thread and back.
    """
    portal = request.app.state.portal
    assert isinstance(portal, PortalContext)  # noqa: S101
    return portal
