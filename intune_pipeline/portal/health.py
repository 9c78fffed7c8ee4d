"""How a connection is doing, in words, with one next step.

Belongs here: the decision what to say. Pure: it is given everything it looks at. Does not belong here: asking the
database (pages, ``api``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from intune_pipeline.domain.vocabulary import ConnectionStatus, OwnCause, RunStatus
from intune_pipeline.inventory.connections import Record
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.microsoft.causes import Audience
from intune_pipeline.portal.words import cause_of, counted, trouble

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
OURS = NextStep("This is on allwhere's side. If it goes on, use Help and contact below.")
OPERATOR_AT_WORK = NextStep("allwhere has been told; there is nothing you need to do.")
_FIRST_SYNC_ASKED = Health("wait", "First sync about to start", "It begins within seconds.", NOTHING_TO_DO)
_NEVER_SYNCED = Health(
    "wait",
    "Connected, not synced yet",
    "No sync has run yet.",
    NextStep("Use Sync Now, or wait for the next daily sync."),
)
_BY_STATUS: Mapping[str, Health] = {
    ConnectionStatus.PENDING: Health(
        "wait", "Not connected yet", "Connecting was begun and not finished.",
        NextStep("Connect Microsoft Intune", "/integrations/intune/connect"),
    ),
    ConnectionStatus.VERIFYING: Health(
        "wait", "Verifying", "You gave consent; Microsoft is still passing it on, which can take up to 15 minutes.",
        NextStep("See how it is going", "/integrations/intune/verifying"),
    ),
    ConnectionStatus.AWAITING_CONFIRMATION: Health(
        "wait", "Waiting for your confirmation",
        "Your Microsoft administrator gave consent. Nothing is read before a Primary Admin confirms the tenant.",
        NextStep("Confirm the tenant", "/integrations/intune/confirm"),
    ),
    ConnectionStatus.AWAITING_APPROVAL: Health(
        "wait", "Waiting for your approval",
        "You chose to see what would happen first. Nothing is synced before a Primary Admin approves the plan.",
        NextStep("Look at the plan", "/integrations/intune/plan"),
    ),
    ConnectionStatus.DISCONNECTED: Health(
        "wait", "Disconnected", "allwhere no longer reads your Intune. Your assets, employees and history are kept.",
        CONNECT_AGAIN,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, and who would start it.

    Attributes:
        is_open: whether a sync was asked for that has not ended.
        waiting_since: when one was asked for that nothing was started for yet; None: none waits.
        starter_seen_at: when what starts syncs last said that it lives; None: it never has, so that nobody can tell.
    """

    is_open: bool = False
    waiting_since: datetime | None = None
    starter_seen_at: datetime | None = None


PATIENCE = timedelta(seconds=30)
"""How long after Sync Now a sync begins at the latest while all is well."""

SILENCE = timedelta(minutes=5)
"""After so long without a word, what starts syncs is taken for down."""


def stuck(asked: Asked, now: datetime) -> Health | None:
    """Syncs do not begin; None while nothing says so."""
    silent = asked.starter_seen_at is not None and now - asked.starter_seen_at > SILENCE
    if asked.waiting_since is not None and now - asked.waiting_since > PATIENCE:
        minutes = int((now - asked.waiting_since).total_seconds() // 60)
        since = f"{minutes} minutes" if minutes > 1 else "more than 30 seconds"
        sentence = (
            f"A sync was asked for and has waited for {since}; it usually begins within seconds. It stays in line."
        )
        return Health("bad" if silent or minutes >= _LONG_MINUTES else "wait", "The sync has not begun", sentence, OURS)
    if silent:
        sentence = "Syncs do not start at the moment. What was synced before stays, and nothing is lost."
        return Health("bad", "Syncs are not running", sentence, OURS)
    return None


_LONG_MINUTES = 5


def of_connection(
    connection: Record,
    newest_first: Sequence[SyncRun],
    *,
    now: datetime,
    late_after: timedelta,
    waiting: int,
    asked: Asked,
) -> Health:
    """Say how a connection is doing.

    Args:
        connection: its stored state.
        newest_first: its last runs.
        now: the present moment.
        late_after: how old the last good sync may get.
        waiting: decisions waiting for a Primary Admin.
        asked: whether a sync was asked for, and whether anybody is there to start it.
    """
    known = _BY_STATUS.get(connection.status)
    if known:
        if not connection.status_message:
            return known
        return Health("bad", known.title, connection.status_message, known.next_step)
    if connection.status != ConnectionStatus.CONNECTED:
        unknown = "Microsoft refuses allwhere's access to your Intune."
        sentence = trouble(connection.status_cause, connection.status_message or unknown)
        title = "Consent needed" if connection.status == ConnectionStatus.NEEDS_CONSENT else "Not syncing"
        unproven = connection.tenant_id is None
        step = CONNECT_AGAIN if unproven else step_after(connection.status_cause, connection.status)
        return Health("bad", title, sentence, step)
    if not (newest_first and newest_first[0].status == RunStatus.RUNNING) and (unbegun := stuck(asked, now)):
        return unbegun
    if not newest_first:
        return _FIRST_SYNC_ASKED if asked.is_open else _NEVER_SYNCED
    return _of_runs(newest_first, now, late_after, waiting)


def _of_runs(newest_first: Sequence[SyncRun], now: datetime, late_after: timedelta, waiting: int) -> Health:
    newest = newest_first[0]
    if newest.status == RunStatus.FAILED:
        sentence = trouble(newest.cause, newest.error)
        return Health("bad", "The last sync failed", sentence, step_after(newest.cause, ConnectionStatus.CONNECTED))
    good = next((run.finished_at for run in newest_first if run.status == RunStatus.SUCCEEDED), None)
    if good is not None and now - good > late_after:
        hours = int((now - good).total_seconds() // 3600)
        return Health("bad", "Late", f"The last good sync is {counted(hours, 'hour')} old.", RETRY)
    if waiting:
        return Health(
            "wait", "Connected, with decisions waiting", "Syncing works. Some changes wait for a Primary Admin.",
            NextStep("Look at what is waiting", "/integrations/intune/decisions"),
        )  # fmt: skip
    if newest.status == RunStatus.RUNNING:
        return Health(
            "good", "Connected, syncing now", "A sync is under way.",
            NextStep("Watch it", "/integrations/intune/progress"),
        )  # fmt: skip
    return Health("good", "Connected", "Syncing works.", NOTHING_TO_DO)


def for_secondary_admins(health: Health) -> Health:
    """The same for who may look and not decide: no step leads to what only a Primary Admin can do."""
    if health.next_step.href not in _OF_PRIMARY_ADMINS:
        return health
    return replace(health, next_step=NextStep("A Primary Admin of your company has to act."))


_OF_PRIMARY_ADMINS = frozenset(
    {"/integrations/intune/connect", "/integrations/intune/confirm", "/integrations/intune/holds"}
)


def step_after(cause: str | None, status: str) -> NextStep:
    """What to do about a stored cause: the customer's turn, ours, or Microsoft's."""
    if cause == OwnCause.PLAN_CHANGED:
        return NextStep("Look at the new plan", "/integrations/intune/plan")
    known = cause_of(cause)
    if status == ConnectionStatus.NEEDS_CONSENT or (
        known and known.connection_status == ConnectionStatus.NEEDS_CONSENT
    ):
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
