"""What every request of the portal needs, made once per application.

Belongs here: the parts and how a route gets at them. Does not belong here: routes, and what the parts do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

from fastapi import Request
from sqlalchemy import Engine

from intune_pipeline.inventory import accounts
from intune_pipeline.inventory.accounts import Account
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.portal.access_tokens import AccessTokens
from intune_pipeline.portal.seal import Seal
from intune_pipeline.portal.security import RateLimit
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings


@dataclass(frozen=True)
class Portal:
    """The parts of one running portal.

    Attributes:
        settings: what the pipeline shares.
        portal: the portal's own settings.
        microsoft: our application at Microsoft.
        engine: allwhere's database.
        access_tokens: checks the sign-in provider's tokens.
        sign_in_limit: how often one address may start a sign-in.
        sync_limit: how often one account may press Sync Now, whatever comes of it.
        clock: the present moment, with time zone.
    """

    settings: Settings
    portal: PortalSettings
    microsoft: MicrosoftSettings
    engine: Engine
    access_tokens: AccessTokens
    sign_in_limit: RateLimit
    sync_limit: RateLimit
    clock: Callable[[], datetime]
    _accounts: dict[str, Account] = field(default_factory=dict, init=False, repr=False)

    def account(self, slug: str) -> Account | None:
        """The account of this slug, None when allwhere has none.

        An account's id and slug never change, so what was found is remembered.
        """
        if slug not in self._accounts:
            with self.engine.connect() as db:
                found = accounts.find(db, slug)
            if found is None:
                return None
            self._accounts[slug] = found
        return self._accounts[slug]

    @property
    def debounce(self) -> timedelta:
        """How long after a sync the next Sync Now is too early."""
        return timedelta(minutes=self.settings.intune_sync_debounce_minutes)

    @cached_property
    def seal(self) -> Seal:
        """Seals the sign-in at Microsoft while the browser is away."""
        return Seal(self.portal.portal_session_secret, "sign-in at Microsoft")

    @cached_property
    def vault(self) -> Vault:
        """Bypass codes."""
        return Vault(self.settings.bypass_code_keys)

    @property
    def https(self) -> bool:
        """Whether the portal's public address is https."""
        return urlsplit(self.portal.portal_url).scheme == "https"

    def address(self, path: str) -> str:
        """The public address of a path of the portal."""
        return f"{self.portal.portal_url.rstrip('/')}{path}"


async def portal_of(request: Request) -> Portal:
    """Dependency: the application's parts.

    Like all dependencies that wait for nothing it is ``async``, which saves the way to a thread and back.
    """
    portal = request.app.state.portal
    assert isinstance(portal, Portal)  # noqa: S101
    return portal
