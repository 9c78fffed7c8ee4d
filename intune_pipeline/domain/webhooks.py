"""When a webhook is tried again, when it is given up, and how events become its messages.

Belongs here: the schedule and the batching. Does not belong here: storing (``inventory.webhooks``) and sending (``portal``).

A webhook's messages are sent in the order of what happened, one after the other: what a receiver applies last is the newest.
So a message that is refused holds back those after it, whose changes then come in fewer and larger messages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from intune_pipeline.domain.vocabulary import ChangedEntity, ChangeKind, WebhookEvent

SUBSCRIBABLE: Final = tuple(event for event in WebhookEvent if event is not WebhookEvent.TEST)
"""What a webhook can be asked to tell."""

CHANGES_PER_MESSAGE: Final = 100

RETRIES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=8),
    timedelta(hours=9),
)
"""How long to wait after each failure in a row; after the last the webhook is switched off, a day after the first."""

_ENTITIES: Final = {
    WebhookEvent.ASSET_CHANGED: ChangedEntity.ASSET,
    WebhookEvent.EMPLOYEE_CREATED: ChangedEntity.EMPLOYEE,
    WebhookEvent.SYNC_FINISHED: ChangedEntity.SYNC,
    WebhookEvent.SYNC_FAILED: ChangedEntity.SYNC,
}
_OF_SYNCS: Final = {
    ChangeKind.FINISHED.value: WebhookEvent.SYNC_FINISHED,
    ChangeKind.FAILED.value: WebhookEvent.SYNC_FAILED,
}


@dataclass(frozen=True, slots=True)
class Message:
    """What is told in one message.

    Attributes:
        event: its type.
        event_ids: rows of ``change_events``; none for what is not told by them.
    """

    event: WebhookEvent
    event_ids: list[int] = field(default_factory=list)


def next_try(failures: int, spread: float) -> timedelta | None:
    """How long to wait after so many failures in a row; None: switch the webhook off.

    Args:
        failures: at least 1.
        spread: from 0 to 1, drawn at random, so that many webhooks of one receiver do not come at one moment.
    """
    if failures > len(RETRIES):
        return None
    return RETRIES[failures - 1] * (1 + spread / 10)


def entities(events: Iterable[WebhookEvent]) -> set[ChangedEntity]:
    """What rows of ``change_events`` a webhook of these events must read."""
    return {_ENTITIES[event] for event in events if event in _ENTITIES}


def messages(rows: Iterable[tuple[int, str, str]], events: Iterable[WebhookEvent]) -> Iterator[Message]:
    """Batch events into messages. New employees come before the assets they hold, the end of a sync after its changes.

    Args:
        rows: id, entity and kind, in the feed's order.
        events: what the webhook tells.
    """
    wanted = set(events)
    created = Message(WebhookEvent.EMPLOYEE_CREATED)
    changed = Message(WebhookEvent.ASSET_CHANGED)

    def flush() -> Iterator[Message]:
        nonlocal created, changed
        yield from (one for one in (created, changed) if one.event_ids)
        created, changed = Message(created.event), Message(changed.event)

    for row_id, entity, kind in rows:
        event = _told_by(entity, kind)
        if event not in wanted:
            continue
        if entity == ChangedEntity.SYNC:
            yield from flush()
            yield Message(event, [row_id])
            continue
        batch = created if event is WebhookEvent.EMPLOYEE_CREATED else changed
        batch.event_ids.append(row_id)
        if len(batch.event_ids) == CHANGES_PER_MESSAGE:
            yield from flush()
    yield from flush()


def _told_by(entity: str, kind: str) -> WebhookEvent | None:
    if entity == ChangedEntity.SYNC:
        return _OF_SYNCS[kind]
    if entity == ChangedEntity.ASSET:
        return WebhookEvent.ASSET_CHANGED
    return WebhookEvent.EMPLOYEE_CREATED if kind == ChangeKind.CREATED else None
