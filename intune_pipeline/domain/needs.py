"""What waits for a person of an account: one list, said the same on the page, in the API, by ``needs`` and in messages.

Belongs here: what is worth telling, how urgent, and the sentences. Does not belong here: reading the facts
(``inventory.needs``) and sending messages.

Each entry says what, since when, how many, and the one thing to do. An empty list means that there is nothing to do.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from intune_pipeline.domain.drift import Drift, Measure
from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.vocabulary import Check, ConnectionStatus, NeedKind

NO_SYNC_EXPECTED: Final = frozenset(
    {
        ConnectionStatus.PENDING,
        ConnectionStatus.VERIFYING,
        ConnectionStatus.AWAITING_CONFIRMATION,
        ConnectionStatus.AWAITING_APPROVAL,
        ConnectionStatus.DISCONNECTED,
    }
)
"""Statuses in which no sync runs, so that none can be late."""

AT_ONCE: Final = frozenset({NeedKind.CONNECTION_BROKEN, NeedKind.LIFECYCLE_HOLD, NeedKind.EMPLOYEE_HOLD})
"""What people are told at once; the rest waits for the digest."""


SAID_BY: Final[Mapping[Check, frozenset[NeedKind]]] = {
    Check.LIST_NOT_SHRUNK: frozenset({NeedKind.LIFECYCLE_HOLD, NeedKind.DRIFT}),
    Check.FEW_UNKNOWN_MODELS: frozenset({NeedKind.UNKNOWN_MODELS}),
    Check.NO_LOOKALIKES: frozenset({NeedKind.EMPLOYEE_HOLD}),
    Check.NO_DEVICE_FAILED: frozenset({NeedKind.DEVICES_FAILED}),
}
"""What says the same as a check's warning, which then is not told a second time."""

_TO_DO: Final[Mapping[Check, str]] = {
    Check.LIST_COMPLETE: "Nothing if the next sync reads the whole list; no device counts as gone before.",
    Check.LIST_NOT_SHRUNK: "Compare with the device list in Intune; if it is right, there is nothing to do.",
    Check.FEW_UNKNOWN_MODELS: "Say what these models are.",
    Check.FEW_JUNK_SERIALS: "Ask whoever set these machines up to write their serial numbers into the firmware.",
    Check.NO_LOOKALIKES: "Compare the new employees with those of the same name.",
    Check.NO_DEVICE_FAILED: "Nothing if the next sync writes them; else send allwhere the reason shown with the device.",
    Check.NO_PLAINTEXT_SECRETS: "allwhere's operators find out how, and reveal and replace these codes.",
}

_OF_OPERATORS: Final = frozenset({Check.NO_PLAINTEXT_SECRETS})


@dataclass(frozen=True, slots=True)
class Waiting:
    """Some things that wait, and since when the oldest does."""

    count: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class NeedFacts:
    """What is known of an account's sync now.

    Attributes:
        now: The present moment.
        late_after: How old the last good sync may be.
        status: The connection's.
        status_message: Why it is in trouble, one sentence.
        status_cause: The stored name of its cause.
        status_since: When that was first seen.
        connected_at: When the connection first worked.
        last_good_at: When the list of the last good sync was read.
        last_failure: The last sync's sentence when it failed.
        failure_cause: The stored name of its cause.
        failed_at: When it did.
        endings: Devices whose end is held.
        ending_reason: Why, one sentence.
        people: Employees that are held.
        unknown: Devices of models that no rule knows.
        unknown_models: How many models these are.
        collisions: Devices that share a serial number with another machine.
        ownership: Devices of which Intune does not say whether the company owns them.
        failed: Devices the last good sync could not write.
        drifts: Numbers that have left their band.
        warnings: What checks of the last good sync warn of, sentences by check.
        webhooks_off: Webhooks that were switched off because their receivers accept nothing.
    """

    now: datetime
    late_after: timedelta
    status: ConnectionStatus
    status_message: str | None = None
    status_cause: str | None = None
    status_since: datetime | None = None
    connected_at: datetime | None = None
    last_good_at: datetime | None = None
    last_failure: str | None = None
    failure_cause: str | None = None
    failed_at: datetime | None = None
    endings: Waiting = Waiting()
    ending_reason: str | None = None
    people: Waiting = Waiting()
    unknown: Waiting = Waiting()
    unknown_models: int = 0
    collisions: Waiting = Waiting()
    ownership: Waiting = Waiting()
    failed: Waiting = Waiting()
    drifts: Sequence[Drift] = ()
    warnings: Mapping[str, str] = field(default_factory=dict)
    webhooks_off: Waiting = Waiting()


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for a person.

    Attributes:
        kind: What.
        what: One sentence.
        since: Since when; None where that is not known.
        count: How many devices, people or models.
        to_do: The one thing to do, one sentence.
        cause: The stored name of the cause of a failure, None elsewhere.
        of_operators: Whether only allwhere's operators can do it.
    """

    kind: NeedKind
    what: str
    since: datetime | None
    count: int
    to_do: str
    cause: str | None = None
    of_operators: bool = False


def needs(facts: NeedFacts) -> list[Need]:
    """Everything that waits, the most urgent first."""
    found = [*_of_connection(facts), *_decisions(facts), *_webhooks(facts), *_drifts(facts), *_devices(facts)]
    return [*found, *_warnings(facts, {need.kind for need in found})]


def _of_connection(facts: NeedFacts) -> Iterator[Need]:
    if facts.status is ConnectionStatus.AWAITING_CONFIRMATION:
        yield Need(
            NeedKind.TENANT_WAITING,
            "Your Microsoft administrator consented; nothing is read before the tenant is confirmed.",
            facts.status_since,
            1,
            "Look at the tenant's name, then confirm or refuse it.",
        )
    elif facts.status is ConnectionStatus.AWAITING_APPROVAL:
        yield Need(
            NeedKind.PLAN_WAITING,
            "The plan of the first sync waits for your approval.",
            facts.status_since,
            1,
            "Look at the plan, then approve it or disconnect.",
        )
    elif facts.status in {ConnectionStatus.NEEDS_CONSENT, ConnectionStatus.ERROR}:
        what = facts.status_message or "Microsoft refuses allwhere's access to your Intune."
        to_do = (
            "Connect Intune again."
            if facts.status is ConnectionStatus.NEEDS_CONSENT
            else "Do what the sentence says, then sync."
        )
        yield Need(NeedKind.CONNECTION_BROKEN, what, facts.status_since, 1, to_do, facts.status_cause)
    elif facts.status in {ConnectionStatus.PENDING, ConnectionStatus.DISCONNECTED}:
        yield Need(NeedKind.NOT_CONNECTED, "Microsoft Intune is not connected.", None, 1, "Connect Microsoft Intune.")
    elif facts.last_failure:
        yield Need(
            NeedKind.SYNC_FAILED,
            facts.last_failure,
            facts.failed_at,
            1,
            "Nothing if the next sync succeeds; else do what the sentence says.",
            facts.failure_cause,
        )
    newest = facts.last_good_at or facts.connected_at
    if facts.status not in NO_SYNC_EXPECTED and newest and facts.now - newest > facts.late_after:
        hours = int((facts.now - newest).total_seconds() // 3600)
        yield Need(NeedKind.LATE, f"No sync has succeeded for {counted(hours, 'hour')}.", newest, 1, "Use Sync Now.")


def _decisions(facts: NeedFacts) -> Iterator[Need]:
    if facts.endings.count:
        yield Need(
            NeedKind.LIFECYCLE_HOLD,
            f"{counted(facts.endings.count, 'device')} left Intune at once: {facts.ending_reason}",
            facts.endings.since,
            facts.endings.count,
            "Look at the devices, then end their assignments or keep them.",
        )
    if facts.people.count:
        yield Need(
            NeedKind.EMPLOYEE_HOLD,
            f"{counted(facts.people.count, 'employee')} would be created who may be there already or "
            + ("is no person." if facts.people.count == 1 else "are no person."),
            facts.people.since,
            facts.people.count,
            "Say who they are." if facts.people.count == 1 else "Say for each of them who they are.",
        )


def _webhooks(facts: NeedFacts) -> Iterator[Need]:
    if facts.webhooks_off.count:
        were = "was" if facts.webhooks_off.count == 1 else "were"
        yield Need(
            NeedKind.WEBHOOK_OFF,
            f"{counted(facts.webhooks_off.count, 'webhook')} {were} switched off: the receiver accepts nothing.",
            facts.webhooks_off.since,
            facts.webhooks_off.count,
            "Mend the receiver, then switch the webhook on; what happened meanwhile is sent then.",
        )


def _drifts(facts: NeedFacts) -> Iterator[Need]:
    for drift in facts.drifts:
        if drift.measure is Measure.DEVICES:
            what = f"Intune lists {drift.now:.0f} devices; {drift.usual:.0f} were usual over the last two weeks."
        else:
            called = "of an unknown type" if drift.measure is Measure.UNKNOWN_SHARE else "left out"
            what = f"{drift.now:.0%} of the devices are {called}; {drift.usual:.0%} were usual over the last two weeks."
        to_do = "Compare with the device list in Intune; if it is right, there is nothing to do."
        yield Need(NeedKind.DRIFT, what, facts.last_good_at, 1, to_do)


def _devices(facts: NeedFacts) -> Iterator[Need]:
    models = f"of {counted(facts.unknown_models, 'model')} that no rule knows."
    say = "Say what this model is." if facts.unknown_models == 1 else "Say what these models are."
    failed = "Nothing if the next sync writes {}; else send allwhere the reason shown with the device."
    collision = "Open {} in Intune and correct or retire the wrong record."
    ownership = "Set {} device ownership to Corporate in Intune if {} your company's."
    # Each about one device, and about several.
    for kind, waiting, one, several in (
        (
            NeedKind.DEVICES_FAILED,
            facts.failed,
            ("could not be written.", failed.format("it")),
            ("could not be written.", failed.format("them")),
        ),
        (
            NeedKind.SERIAL_COLLISION,
            facts.collisions,
            ("shares a serial number with another machine.", collision.format("it")),
            ("share a serial number with another machine.", collision.format("them")),
        ),
        (NeedKind.UNKNOWN_MODELS, facts.unknown, (models, say), (models, say)),
        (
            NeedKind.OWNERSHIP_UNKNOWN,
            facts.ownership,
            ("is marked neither corporate nor personal in Intune.", ownership.format("its", "it is")),
            ("are marked neither corporate nor personal in Intune.", ownership.format("their", "they are")),
        ),
    ):
        if waiting.count:
            what, to_do = one if waiting.count == 1 else several
            yield Need(kind, f"{counted(waiting.count, 'device')} {what}", waiting.since, waiting.count, to_do)


def _warnings(facts: NeedFacts, said: Set[NeedKind]) -> Iterator[Need]:
    if facts.status in NO_SYNC_EXPECTED:
        return
    for check in Check:
        if check in facts.warnings and not SAID_BY.get(check, frozenset()) & said:
            what, of_operators = facts.warnings[check], check in _OF_OPERATORS
            yield Need(NeedKind.CHECK_WARNED, what, facts.last_good_at, 1, _TO_DO[check], of_operators=of_operators)
