"""What the page of a device tells: its one status, each field's two values and their sources, and everything that happened.

Belongs here: putting side by side what is known. Pure: it is given everything it looks at. Does not belong here: reading it
(``inventory.history``, ``inventory.evidence``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from intune_pipeline.domain.fields import FIELDS, SEALED_FIELD
from intune_pipeline.domain.kept import WHOLE_ASSET
from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import KeptKind, Outcome
from intune_pipeline.inventory.evidence import IntuneSays
from intune_pipeline.inventory.kept_values import LOCKABLE, Kept
from intune_pipeline.inventory.story import Source, Story
from intune_pipeline.portal import words
from intune_pipeline.portal.health import Tone

_ASSIGNEE: Final = "assignee_id"
_FIRST: Final = (_ASSIGNEE, "status", "asset_type", "make", "model_name", "model", "operating_system", "os_version")
_ORDER: Final = (*_FIRST, *(field.name for field in FIELDS if field.name not in {*_FIRST, "serial_number"}))
_FROM_INTUNE: Final = frozenset({_ASSIGNEE, *(field.name for field in FIELDS if field.is_said)})


@dataclass(frozen=True, slots=True)
class State:
    """How a device is doing, in words.

    Attributes:
        tone: good, wait or bad.
        title: in a few words.
        sentence: why.
        to_do: what a person does about it; "" for nothing.
    """

    tone: Tone
    title: str
    sentence: str
    to_do: str = ""


def state_of(story: Story, gone: Collection[str]) -> State:
    """The one status of a device.

    Args:
        story: all that is known of it.
        gone: ids of those of its records that are gone from Intune.
    """
    if not story.records:
        return State("wait", "Not seen in Intune", "allwhere has this asset; no sync has seen it among your devices.")
    record = story.records[0]
    if record.intune_device_id in gone:
        asset = "Its asset stays as it is." if story.asset else "It has no asset."
        return State("wait", "Gone from Intune", f"The last list of Intune did not hold it any more. {asset}")
    if record.outcome == Outcome.FAILED:
        return State("bad", "Could not be written", record.reason or "", words.FAILED.remedy)
    if record.outcome == Outcome.SYNCED:
        return State("good", "Synced", "It is in Intune, and allwhere has an asset for it.")
    known = SKIPPED.get(record.reason or "")
    if known is None:
        return State("wait", "Not synced", record.reason or "")
    return State("wait", f"Not synced: {known.name}", f"{known.because[:1].upper()}{known.because[1:]}.", known.remedy)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field: what Intune says beside what allwhere has.

    Attributes:
        field: the column.
        intune: what Intune says, in words; "" where it says nothing.
        value: what allwhere has, in words; "" for nothing.
        differs: whether both say something, and not the same.
        source: who set allwhere's.
        locked: the lock, if there is one.
        undone: what an undo keeps back, if anything.
        can_lock: whether a sync ever writes it.
        is_intunes: whether Intune can say anything about it.
        is_code: whether it is an identifier rather than a word.
    """

    field: str
    intune: str
    value: str
    differs: bool
    source: Source | None
    locked: Kept | None
    undone: Kept | None
    can_lock: bool
    is_intunes: bool
    is_code: bool


def fields_of(story: Story, says: IntuneSays | None) -> list[FieldRow]:
    """Every field of which something is known or kept."""
    intune = _intune(says)
    ours = _ours(story)
    kept = {(one.field, one.kind): one for one in story.kept if one.field != WHOLE_ASSET}
    named = {*intune, *ours, *(field for field, _ in kept)}
    rows = []
    for field in (name for name in _ORDER if name in named):
        theirs, mine = words.shown(field, intune.get(field)), words.shown(field, ours.get(field))
        rows.append(
            FieldRow(
                field,
                theirs,
                mine,
                bool(theirs and mine) and not _same(field, theirs, mine, says),
                story.sources.get(field),
                kept.get((field, KeptKind.LOCKED)),
                kept.get((field, KeptKind.UNDONE)),
                story.asset is not None and field in LOCKABLE,
                field in _FROM_INTUNE,
                field.endswith("_device_id") or field == "imei",
            )
        )
    return rows


def _intune(says: IntuneSays | None) -> Mapping[str, Any]:
    if says is None:
        return {}
    values: dict[str, Any] = dict(says.values)
    person = " ".join(filter(None, (says.user_name, f"({says.user_email})" if says.user_email else "")))
    if person:
        values[_ASSIGNEE] = person
    if says.has_bypass_code:
        values[SEALED_FIELD] = "Given, not shown"
    return values


def _ours(story: Story) -> Mapping[str, Any]:
    if story.asset is None:
        return {}
    values: dict[str, Any] = {_ASSIGNEE: story.asset.assignee, **story.asset.fields}
    if story.asset.has_bypass_code:
        values[SEALED_FIELD] = "Stored, encrypted"
    return values


def _same(field: str, theirs: str, mine: str, says: IntuneSays | None) -> bool:
    if field == SEALED_FIELD:
        return True
    if field == _ASSIGNEE and says and says.user_email:
        return says.user_email.lower() in mine.lower()
    return theirs == mine


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a device or its asset.

    Attributes:
        at: when.
        by: who, or what started the sync.
        run_id: the run; None: no run did.
        what: the field that changed, or what happened.
        old: before, in words; None where nothing changed.
        new: after.
        why: the reason, where there is one.
    """

    at: datetime
    by: str
    run_id: int | None
    what: str
    old: str | None = None
    new: str | None = None
    why: str = ""


def events_of(story: Story) -> list[Event]:
    """All that is known to have happened, newest first: syncs' changes, people's, and who looked at the code."""
    events = []
    for change in story.changes:
        by = words.TRIGGERS[change.trigger] if change.trigger else change.actor or "A person"
        if change.field == SEALED_FIELD:
            old, new = None, "a new code, encrypted"
        else:
            old, new = words.value(change.field, change.old), words.value(change.field, change.new)
        reason = change.reason or ("Intune says so" if change.sync_run_id else "")
        events.append(
            Event(change.changed_at, by, change.sync_run_id, words.field_name(change.field), old, new, reason)
        )
    events += [
        Event(one.at, one.actor, None, "Bypass code revealed", why=one.reason or "no reason given")
        for one in story.reveals
    ]
    if story.asset:
        created_by = words.TRIGGERS.get(story.asset.created_by_trigger or "", "A person or an import")
        events.append(Event(story.asset.created_at, created_by, story.asset.created_by_run, "Asset created"))
    events += [
        Event(one.first_seen_at, "Intune", None, "First seen in Intune", why=one.device_name or "")
        for one in story.records
    ]
    events.sort(key=lambda event: event.at, reverse=True)
    return events
