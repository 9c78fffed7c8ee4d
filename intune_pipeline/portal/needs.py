"""What waits for a person, as the portal tells it: the one list of ``domain.needs``, each entry with its page.

Belongs here: where each thing is done, and the customer's words for Microsoft's refusals. Does not belong here: what waits
(``inventory.needs``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import ConnectionStatus, NeedKind, Outcome, RunStatus, SkipReason
from intune_pipeline.inventory import needs
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.health import OPERATOR_AT_WORK, Health, NextStep, step_after
from intune_pipeline.portal.portal import PortalContext
from intune_pipeline.portal.words import trouble

_DEVICES: Final = f"{HOME}/devices"
_SYNC: Final = f"{HOME}#sync-now"
HREFS: Final[Mapping[NeedKind, str]] = {
    NeedKind.CONNECTION_BROKEN: f"{HOME}/connect",
    NeedKind.NOT_CONNECTED: f"{HOME}/connect",
    NeedKind.TENANT_WAITING: f"{HOME}/confirm",
    NeedKind.PLAN_WAITING: f"{HOME}/plan",
    NeedKind.LATE: _SYNC,
    NeedKind.SYNC_FAILED: _SYNC,
    NeedKind.LIFECYCLE_HOLD: f"{HOME}/decisions/devices",
    NeedKind.EMPLOYEE_HOLD: f"{HOME}/decisions",
    NeedKind.DRIFT: _DEVICES,
    NeedKind.SERIAL_COLLISION: f"{_DEVICES}?reason={SkipReason.SERIAL_COLLISION}",
    NeedKind.UNKNOWN_MODELS: f"{HOME}/models",
    NeedKind.OWNERSHIP_UNKNOWN: f"{_DEVICES}?reason={SkipReason.OWNERSHIP_UNKNOWN}",
    NeedKind.WEBHOOK_OFF: f"{HOME}/webhooks",
    NeedKind.DEVICES_FAILED: f"{_DEVICES}?outcome={Outcome.FAILED}",
    NeedKind.CHECK_WARNED: _DEVICES,
}
"""The page where each thing is done."""

#: What ``health`` says in the customer's words.
_OF_CONNECTION: Final = frozenset({NeedKind.CONNECTION_BROKEN, NeedKind.NOT_CONNECTED, NeedKind.TENANT_WAITING})


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits; the attributes are those of a ``Need``, and the page where it is done."""

    kind: NeedKind
    what: str
    since: datetime | None
    count: int
    to_do: str
    href: str


#: Done by Primary Admins only.
_OF_PRIMARY_ADMINS: Final[Mapping[NeedKind, str]] = {
    NeedKind.CONNECTION_BROKEN: "A Primary Admin connects Microsoft Intune again.",
    NeedKind.NOT_CONNECTED: "A Primary Admin connects Microsoft Intune.",
    NeedKind.TENANT_WAITING: "A Primary Admin confirms the tenant; you can look.",
    NeedKind.PLAN_WAITING: "A Primary Admin approves the plan; you can look.",
    NeedKind.LIFECYCLE_HOLD: "A Primary Admin decides; you can look.",
    NeedKind.EMPLOYEE_HOLD: "A Primary Admin decides; you can look.",
    NeedKind.UNKNOWN_MODELS: "A Primary Admin says what they are; you can look.",
}


def for_secondary_admins(found: Sequence[Waiting]) -> list[Waiting]:
    """The same list for who may look and not decide: it says who has to."""
    return [replace(one, to_do=_OF_PRIMARY_ADMINS.get(one.kind, one.to_do)) for one in found]


def of_account(
    db: Connection, portal: PortalContext, account: str, health: Health, newest_first: Sequence[SyncRun]
) -> list[Waiting]:
    """Everything that waits for the account's people, the most urgent first.

    What only allwhere's operators can mend waits for nobody of the account; ``health`` says it.

    Args:
        db: a connection that sees the account.
        portal: the running portal.
        account: the account's slug.
        health: how the connection is doing, in the customer's words.
        newest_first: its last syncs.
    """
    late_after = timedelta(hours=portal.pipeline.intune_late_after_hours)
    found = needs.of_account(db, account, late_after=late_after)
    ended = next((run for run in newest_first if run.status != RunStatus.RUNNING), None)
    shown = []
    for need in found:
        what, step = need.what, NextStep(need.to_do, HREFS[need.kind])
        if need.kind in _OF_CONNECTION:
            what, step = health.sentence, health.next_step
        elif need.kind is NeedKind.SYNC_FAILED and ended is not None:
            what, step = trouble(ended.cause, ended.error), step_after(ended.cause, ConnectionStatus.CONNECTED)
        if step is not OPERATOR_AT_WORK and not need.of_operators:
            shown.append(Waiting(need.kind, what, need.since, need.count, step.label, step.href or HREFS[need.kind]))
    return shown
