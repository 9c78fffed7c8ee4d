"""How a connection is doing, in words, with one next step.

Belongs here: the decision what to say. Pure: it is given everything it looks at. Does not belong here: asking the
database (pages, ``api``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from intune_pipeline.inventory.connections import Record
from intune_pipeline.inventory.plans import PLAN_CHANGED
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.microsoft.causes import Audience
from intune_pipeline.portal.words import cause_of, trouble

Tone = Literal["good", "wait", "bad"]


@dataclass(frozen=True, slots=True)
class NextStep:
    """The one thing to do next: a link, or a sentence when there is nowhere to go.

    Attributes:
        label: what to do.
        href: where; None when nothing is to be clicked.
    """

    label: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """A connection's health.

    Attributes:
        tone: good, wait (nothing is wrong, something is under way) or bad.
        title: in a few words.
        sentence: what it means.
        next_step: what to do.
    """

    tone: Tone
    title: str
    sentence: str
    next_step: NextStep


CONNECT_AGAIN = NextStep("Connect Microsoft Intune again", "/integrations/intune/connect")
NOTHING_TO_DO = NextStep("There is nothing you need to do.")
RETRY = NextStep("Use Sync Now to try again; otherwise the next daily sync does.")
OPERATOR_AT_WORK = NextStep("allwhere has been told; there is nothing you need to do.")
_FIRST_SYNC_ASKED = Health("wait", "First sync about to start", "It begins within seconds.", NOTHING_TO_DO)
_NEVER_SYNCED = Health(
    "wait",
    "Connected, not synced yet",
    "No sync has run yet.",
    NextStep("Use Sync Now, or wait for the next daily sync."),
)
_BY_STATUS = {
    "pending": Health(
        "wait", "Not connected yet", "Connecting was begun and not finished.",
        NextStep("Connect Microsoft Intune", "/integrations/intune/connect"),
    ),
    "verifying": Health(
        "wait", "Verifying", "You gave consent; Microsoft is still passing it on, which can take up to 15 minutes.",
        NextStep("See how it is going", "/integrations/intune/verifying"),
    ),
    "awaiting_confirmation": Health(
        "wait", "Waiting for your confirmation",
        "Your Microsoft administrator gave consent. Nothing is read before a Primary Admin confirms the tenant.",
        NextStep("Confirm the tenant", "/integrations/intune/confirm"),
    ),
    "awaiting_approval": Health(
        "wait", "Waiting for your approval",
        "You chose to see what would happen first. Nothing is synced before a Primary Admin approves the plan.",
        NextStep("Look at the plan", "/integrations/intune/plan"),
    ),
    "disconnected": Health(
        "wait", "Disconnected", "allwhere no longer reads your Intune. Your assets, employees and history are kept.",
        CONNECT_AGAIN,
    ),
}  # fmt: skip


def of_connection(
    connection: Record,
    newest_first: Sequence[SyncRun],
    *,
    now: datetime,
    late_after: timedelta,
    waiting: int,
    asked: bool,
) -> Health:
    """Say how a connection is doing.

    Args:
        connection: its stored state.
        newest_first: its last runs.
        now: the present moment.
        late_after: how old the last good sync may get.
        waiting: decisions waiting for a Primary Admin.
        asked: whether a sync was asked for that has not ended.
    """
    if connection.status in _BY_STATUS:
        known = _BY_STATUS[connection.status]
        if not connection.status_message:
            return known
        return Health("bad", known.title, connection.status_message, known.next_step)
    if connection.status != "connected":
        unknown = "Microsoft refuses allwhere's access to your Intune."
        sentence = trouble(connection.status_cause, connection.status_message or unknown)
        title = "Consent needed" if connection.status == "needs_consent" else "Not syncing"
        unproven = connection.tenant_id is None
        step = CONNECT_AGAIN if unproven else step_after(connection.status_cause, connection.status)
        return Health("bad", title, sentence, step)
    if not newest_first:
        return _FIRST_SYNC_ASKED if asked else _NEVER_SYNCED
    return _of_runs(newest_first, now, late_after, waiting)


def _of_runs(newest_first: Sequence[SyncRun], now: datetime, late_after: timedelta, waiting: int) -> Health:
    newest = newest_first[0]
    if newest.status == "failed":
        sentence = trouble(newest.cause, newest.error)
        return Health("bad", "The last sync failed", sentence, step_after(newest.cause, "connected"))
    good = next((run.finished_at for run in newest_first if run.status == "succeeded"), None)
    if good is not None and now - good > late_after:
        hours = int((now - good).total_seconds() // 3600)
        return Health("bad", "Late", f"The last good sync is {hours} hours old.", RETRY)
    if waiting:
        return Health(
            "wait", "Connected, with decisions waiting", "Syncing works. Some changes wait for a Primary Admin.",
            NextStep("Look at what is waiting", "/integrations/intune/decisions"),
        )  # fmt: skip
    if newest.status == "running":
        return Health(
            "good", "Connected, syncing now", "A sync is under way.",
            NextStep("Watch it", "/integrations/intune/progress"),
        )  # fmt: skip
    return Health("good", "Connected", "Syncing works.", NOTHING_TO_DO)


def step_after(cause: str | None, status: str) -> NextStep:
    """What to do about a stored cause: the customer's turn, ours, or Microsoft's."""
    if cause == PLAN_CHANGED:
        return NextStep("Look at the new plan", "/integrations/intune/plan")
    known = cause_of(cause)
    if status == "needs_consent" or (known and known.connection_status == "needs_consent"):
        return CONNECT_AGAIN
    if known is None or known.retry:
        return RETRY
    if known.audience is Audience.OPERATOR:
        return OPERATOR_AT_WORK
    return NextStep("Do what the sentence above says, then use Sync Now.")


def next_scheduled(now: datetime, hour: int, time_zone: str) -> datetime:
    """When the daily schedule ticks next: at ``hour`` o'clock in ``time_zone``."""
    here = now.astimezone(ZoneInfo(time_zone))
    today = here.replace(hour=hour, minute=0, second=0, microsecond=0)
    if today > here:
        return today
    return (today + timedelta(days=1)).replace(hour=hour)
