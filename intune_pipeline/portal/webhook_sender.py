"""The portal's worker that sends messages to webhooks, never within a sync.

Belongs here: whose turn it is, and what an answer does. Does not belong here: making messages
(``inventory.webhook_deliveries``), connecting (``webhook_client``), when to try again (``domain.webhooks``).

Every portal process runs one; a webhook is claimed before it is sent to, so that each has one sender at a time and its
messages keep their order. A process that dies lets go by the claim's end, and the message it was at is sent again.
"""

import contextlib
import logging
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from intune_pipeline.domain.vocabulary import WebhookStatus
from intune_pipeline.domain.webhooks import next_try
from intune_pipeline.inventory import change_feed, webhook_deliveries, webhooks
from intune_pipeline.inventory.webhook_deliveries import Claim, Delivery
from intune_pipeline.inventory.webhooks import NoKeyError
from intune_pipeline.portal.background import Repeated
from intune_pipeline.portal.portal import PortalContext
from intune_pipeline.portal.webhook_client import Answer

_LOOK_EVERY_SECONDS: Final = 2
_AT_ONCE: Final = 8
#: Well under a claim's two minutes, with the longest answer on top.
_TURN_SECONDS: Final = 30.0

sent = structlog.get_logger(__name__)
#: Tracebacks without the values of variables, among which are secrets.
log = logging.getLogger(__name__)


class WebhookSender:
    """Sends what is due, in a thread of its own while the portal runs.

    Args:
        portal: the running portal.
    """

    def __init__(self, portal: PortalContext) -> None:
        self._portal = portal
        self._repeated = Repeated(self.step, "sending to webhooks", _LOOK_EVERY_SECONDS)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send until the block ends."""
        with self._repeated.running():
            yield

    def step(self) -> int:
        """Send what is due now, by the portal's clock; returns how many messages were tried."""
        with self._portal.system_transaction() as db:
            change_feed.mark(db)
            due = webhook_deliveries.due(db, self._portal.clock())
        if not due:
            return 0
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook") as pool:
            return sum(pool.map(lambda one: self._guarded_turn(*one), due))

    def _guarded_turn(self, account_id: int, webhook_id: UUID) -> int:
        try:
            return self._turn(account_id, webhook_id)
        except Exception:  # one webhook's trouble is no other's; its claim ends by itself
            log.exception("sending to the webhook %s failed; it is tried again", webhook_id)
            return 0

    def _turn(self, account_id: int, webhook_id: UUID) -> int:
        """Send to one webhook until nothing waits, it refuses, or its time is over."""
        with self._portal.transaction_for(account_id) as db:
            claimed = webhook_deliveries.claim(db, account_id, webhook_id, self._portal.clock())
        if claimed is None:
            return 0
        tried, until = 0, time.monotonic() + _TURN_SECONDS
        while not self._repeated.stopped.is_set() and time.monotonic() < until:
            delivery = self._next(claimed)
            if delivery is None:
                break
            tried += 1
            if self._send(claimed, delivery):
                claimed = replace(claimed, failures=0)
            elif delivery.asked_by is None:
                break
        with self._portal.transaction_for(account_id) as db:
            webhook_deliveries.release(db, claimed)
        return tried

    def _next(self, claimed: Claim) -> Delivery | None:
        with self._portal.transaction_for(claimed.account_id) as db:
            delivery = webhook_deliveries.next_of(db, claimed)
            if delivery is None and claimed.due:
                webhook_deliveries.make(db, claimed, self._portal.clock(), late_after=self._late_after)
                delivery = webhook_deliveries.next_of(db, claimed)
        return delivery

    def _send(self, claimed: Claim, delivery: Delivery) -> bool:
        """Send one message and remember the answer; whether it was accepted."""
        now = self._portal.clock()
        try:
            with self._portal.transaction_for(claimed.account_id) as db:
                secrets = webhooks.signing_secrets(db, claimed.account_id, claimed.webhook_id, self._portal.vault, now)
                body = webhook_deliveries.body(db, claimed.account_id, delivery, late_after=self._late_after)
        except NoKeyError as error:
            answer = Answer(None, str(error), 0.0)
        else:
            answer = self._portal.webhook_client.send(claimed.url, f"msg_{delivery.message_id.hex}", body, secrets, now)
        sent.info(
            "webhook_sent",
            webhook=str(claimed.webhook_id),
            message=str(delivery.message_id),
            tells=delivery.event.value,
            status=answer.status,
            seconds=answer.seconds,
        )
        self._remember(claimed, delivery, answer, now)
        return answer.accepted

    def _remember(self, claimed: Claim, delivery: Delivery, answer: Answer, now: datetime) -> None:
        tried = {
            "at": now.isoformat(),
            "status": answer.status,
            "seconds": answer.seconds,
            "problem": answer.problem,
        }
        with self._portal.transaction_for(claimed.account_id) as db:
            if answer.accepted:
                webhook_deliveries.accepted(db, claimed, delivery, tried, now)
                return
            wait = None if answer.gone else next_try(claimed.failures + 1, random.random())  # noqa: S311
            webhook_deliveries.refused(db, claimed, delivery, tried, None if wait is None else now + wait)
            if wait is None and delivery.asked_by is None and claimed.status is WebhookStatus.ON:
                reason = answer.problem if answer.gone else f"Nothing was accepted for a day. {answer.problem}"
                webhooks.switch_off(db, claimed.account_id, claimed.webhook_id, reason, now=now)

    @property
    def _late_after(self) -> timedelta:
        return timedelta(hours=self._portal.pipeline.intune_late_after_hours)
