"""Proving a grant, and trying again while Microsoft passes a consent on: a minute apart, for a quarter of an hour.

Belongs here: the attempts and what their results do to the connection. Does not belong here: the proof itself
(``microsoft.consent``).
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from intune_pipeline.domain.vocabulary import Trigger
from intune_pipeline.inventory import connections, sync_requests
from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.microsoft.consent import GrantCheck, GrantOutcome, verify_grant
from intune_pipeline.portal.portal import Portal

#: More than MSAL's and Entra's own minute of remembering a refusal.
STEP = timedelta(seconds=65)
PATIENCE = timedelta(minutes=15)
_TRY_FOR = timedelta(seconds=10)
_LOOK_EVERY_SECONDS = 5
_BY_ITSELF = "portal"

log = logging.getLogger(__name__)


def verify(portal: Portal, connection: connections.Record, requested_by: str) -> GrantCheck:
    """Try once, and store what came of it: connected with its first sync asked for, verifying still, or refused.

    Args:
        portal: the running portal.
        connection: whose grant.
        requested_by: on whose behalf the first sync begins.
    """
    assert connection.tenant_id is not None  # noqa: S101 - the table's constraint for whatever is being verified
    check = verify_grant(portal.microsoft.cloud, portal.microsoft.credential, connection.tenant_id, within=_TRY_FOR)
    with portal.engine.begin() as db:
        if check.outcome is GrantOutcome.GRANTED:
            if connections.set_status(db, connection.id, "connected"):
                sync_requests.request(
                    db, connection.id, requested_by=requested_by, debounce=timedelta(0), trigger=Trigger.INITIAL
                )
        elif check.outcome is GrantOutcome.REFUSED:
            cause = check.cause or Cause.UNEXPECTED
            status = cause.connection_status or "error"
            connections.set_status(db, connection.id, status, cause.value, cause.sentence)
    return check


class Verification:
    """Keeps trying every connection that is ``verifying``, whether or not somebody looks at its page.

    What was tried when is this process's own knowledge: a restart tries anew and grants another quarter of an hour.
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._began: dict[int, datetime] = {}
        self._tried: dict[int, datetime] = {}
        self._stopped = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Try in a thread of its own until the block ends."""
        self._stopped.clear()
        thread = threading.Thread(target=self._loop, name="verification", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def step(self) -> None:
        """Try what is due now."""
        now = self._portal.clock()
        with self._portal.engine.connect() as db:
            waiting = connections.with_status(db, "verifying")
        for known in set(self._began) - {connection.id for connection in waiting}:
            del self._began[known], self._tried[known]
        for connection in waiting:
            began = self._began.setdefault(connection.id, now)
            # Whoever bound the tenant tried a moment ago.
            if now - self._tried.setdefault(connection.id, now) < STEP:
                continue
            self._tried[connection.id] = now
            check = verify(self._portal, connection, _BY_ITSELF)
            if check.outcome is GrantOutcome.NOT_YET and now - began >= PATIENCE:
                self._give_up(connection.id)

    def _give_up(self, connection_id: int) -> None:
        sentence = (
            "Microsoft did not pass your consent on within 15 minutes, or it was withdrawn. "
            "Connect again; if that ends the same way, write to allwhere."
        )
        with self._portal.engine.begin() as db:
            connections.set_status(db, connection_id, "needs_consent", Cause.CONSENT_MISSING.value, sentence)

    def _loop(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_SECONDS):
            try:
                self.step()
            except Exception:  # the next step may find the database again
                log.exception("verifying connections failed; it is tried again")
