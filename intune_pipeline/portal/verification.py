"""Proving a grant, and trying again while Microsoft passes a consent on: a minute apart, for a quarter of an hour.

Belongs here: the attempts and what their results do to the connection. Does not belong here: the proof itself
(``microsoft.consent``).
"""

import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from intune_pipeline.domain.vocabulary import ConnectionStatus, SecurityEvent, Trigger
from intune_pipeline.inventory import connections, linking, plans, security_counts, sync_requests
from intune_pipeline.inventory.tenant_owners import TenantLinkedElsewhereError
from intune_pipeline.microsoft.causes import Audience, Cause
from intune_pipeline.microsoft.consent import ConsentOutcome, GrantOutcome, verify_grant
from intune_pipeline.portal.background import Repeated
from intune_pipeline.portal.portal import PortalContext

#: More than MSAL's and Entra's own minute of remembering a refusal.
STEP = timedelta(seconds=65)
PATIENCE = timedelta(minutes=15)
_TRY_FOR = timedelta(seconds=10)
_LOOK_EVERY_SECONDS = 5

log = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What came of trying."""

    CONNECTED = "connected"
    NOT_YET = "not_yet"
    REFUSED = "refused"
    """Microsoft refuses; trying again does not help."""
    OVERTAKEN = "overtaken"
    """Another account has proven the tenant first."""
    STALE = "stale"
    """The connection was ended, or begun anew, while Microsoft answered; nothing was stored."""


def verify(portal: PortalContext, connection: connections.Record) -> tuple[Verdict, Cause | None]:
    """Try once, and store what came of it: connected with its first sync asked for, verifying still, or ended.

    Args:
        portal: the running portal.
        connection: one that is ``verifying``; whose administrator was proven by a sign-in.

    Returns:
        What came of it, and Microsoft's reason unless it is connected or overtaken.
    """
    tenant_id = connection.candidate_tenant_id
    if tenant_id is None:
        return Verdict.STALE, None
    check = verify_grant(portal.microsoft.cloud, portal.microsoft.credential, tenant_id, within=_TRY_FOR)
    if check.outcome is GrantOutcome.NOT_YET:
        return Verdict.NOT_YET, check.cause
    if check.outcome is GrantOutcome.GRANTED:
        return _claim(portal, connection), None
    cause = check.cause or Cause.UNEXPECTED
    status = cause.connection_status or ConnectionStatus.ERROR
    with portal.transaction_for(connection.account_id) as db:
        ended = linking.end_verifying(db, connection, status, cause.value, cause.sentence)
        if ended:
            actor = connection.requested_by or ""
            linking.refused(
                db,
                connection.account_id,
                actor=actor,
                tenant_id=tenant_id,
                why=ConsentOutcome.FAILED,
                cause=cause.value,
            )
    if ended and cause.audience is Audience.OPERATOR:
        log.error(
            "Microsoft refused the tenant %s of account %s: %s, request %s.",
            tenant_id,
            connection.account,
            cause.value,
            check.request_id or "unknown",
        )
        with portal.system_transaction() as db:
            security_counts.count(db, SecurityEvent.CONNECT_FAILED, connection.account, portal.clock())
    return (Verdict.REFUSED if ended else Verdict.STALE), cause


def _claim(portal: PortalContext, connection: connections.Record) -> Verdict:
    """Of two that come here for one connection, one asks for the first sync, or for the plan to approve first."""
    try:
        with portal.transaction_for(connection.account_id) as db:
            if not linking.claim(db, connection):
                return Verdict.STALE
            asker = connection.requested_by or ""
            if connection.plan_first:
                plans.request(db, connection.id, requested_by=asker)
            else:
                sync_requests.request(
                    db, connection.id, requested_by=asker, debounce=timedelta(0), trigger=Trigger.INITIAL
                )
    except TenantLinkedElsewhereError:
        with portal.transaction_for(connection.account_id) as db:
            linking.overtaken(db, connection)
        return Verdict.OVERTAKEN
    return Verdict.CONNECTED


class Verification:
    """Keeps trying every connection that is ``verifying``, whether or not somebody looks at its page.

    When it began is stored, so that a quarter of an hour is one however often the portal restarts.
    What was tried last is this process's own knowledge.
    """

    def __init__(self, portal: PortalContext) -> None:
        self._portal = portal
        self._tried: dict[tuple[int, datetime | None], datetime] = {}
        self._repeated = Repeated(self.step, "verifying connections", _LOOK_EVERY_SECONDS)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Try in a thread of its own until the block ends."""
        with self._repeated.running():
            yield

    def step(self) -> None:
        """Try what is due now, by the portal's clock."""
        now = self._portal.clock()
        waiting = self._waiting()
        # Who begins again is another verification, with a quarter of an hour of its own.
        verifications = {(connection.id, connection.verifying_since): connection for connection in waiting}
        self._tried = {known: at for known, at in self._tried.items() if known in verifications}
        for known, connection in verifications.items():
            # Whoever began it tried a moment ago.
            if now - self._tried.setdefault(known, connection.verifying_since or now) < STEP:
                continue
            self._tried[known] = now
            verdict, _ = verify(self._portal, connection)
            if verdict is Verdict.NOT_YET and now - (connection.verifying_since or now) >= PATIENCE:
                self._give_up(connection)

    def _waiting(self) -> list[connections.Record]:
        """Every account's connection that is being verified, read account by account."""
        with self._portal.system_transaction() as db:
            account_ids = connections.accounts_being_verified(db)
        waiting = []
        for account_id in account_ids:
            with self._portal.transaction_for(account_id) as db:
                verifying = connections.with_status(db, ConnectionStatus.VERIFYING)
                waiting += [one for one in verifying if one.account_id == account_id]
        return waiting

    def _give_up(self, connection: connections.Record) -> None:
        sentence = (
            "Microsoft did not pass your consent on within 15 minutes, or it was withdrawn. "
            "Connect again; if that ends the same way, write to allwhere."
        )
        with self._portal.transaction_for(connection.account_id) as db:
            linking.end_verifying(db, connection, ConnectionStatus.NEEDS_CONSENT, Cause.CONSENT_MISSING.value, sentence)
