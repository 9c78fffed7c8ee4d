"""A serial number's whole story as a value, and told in plain lines.

Belongs here: what the story holds and how it is told. Does not belong here: gathering it (``history``) and printing it
(``cli``, ``portal``). A bypass code is never part of it, only whether there is one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from intune_pipeline.domain.facts import shown_model
from intune_pipeline.domain.fields import SEALED_FIELD
from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import KeptKind
from intune_pipeline.inventory.kept_values import Kept

SHOWN_CHANGES: Final = 20
"""Changes that `Story.lines` tells; the value itself has all of them."""


@dataclass(frozen=True, slots=True)
class IntuneRecord:
    """One device record of Intune with this serial number, as the last sync that listed it saw it.

    Attributes:
        intune_device_id: Intune's id.
        outcome: ``synced``, ``skipped`` or ``failed``.
        reason: the skip reason, or the sentence of a failure.
        device_type: laptop, tablet, mobile, desktop or unknown.
        rule: the rule that decided the type.
        rule_reason: why, in words.
        manufacturer: as shown.
        model_name: the model for people; None in records from before it was kept.
        model: as shown.
        operating_system: as shown.
        device_name: as shown.
        last_contact_at: Intune's lastSyncDateTime.
        first_seen_at: when a sync first listed it.
        last_seen_at: when a sync last listed it.
        first_synced_at: when it first had an asset; None: never.
        last_synced_at: when it last had one.
        absent_lists: complete lists since then that did not hold it, counted while the connection's switch is on.
        ended_at: when it was found gone from Intune.
        candidate_user: e-mail of a user seen instead of the assignee, waiting for confirmation.
        candidate_syncs: consecutive syncs that showed this user.
    """

    intune_device_id: str
    outcome: str
    reason: str | None
    device_type: str | None
    rule: str | None
    rule_reason: str | None
    manufacturer: str | None
    model_name: str | None
    model: str | None
    operating_system: str | None
    device_name: str | None
    last_contact_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    first_synced_at: datetime | None
    last_synced_at: datetime | None
    absent_lists: int
    ended_at: datetime | None
    candidate_user: str | None
    candidate_syncs: int


@dataclass(frozen=True, slots=True)
class AssetStory:
    """The asset as it is.

    Attributes:
        id: allwhere's id.
        fields: every column that is not empty, but for ids, times and the bypass code.
        has_bypass_code: whether an activation-lock bypass code is stored.
        assignee: the assignee's name and addresses.
        created_at: when it came.
        created_by_run: the sync that created it; None: a person or an import.
        created_by_trigger: what that sync was started by.
        updated_at: when a field last changed.
    """

    id: int
    fields: dict[str, Any]
    has_bypass_code: bool
    assignee: str | None
    created_at: datetime
    created_by_run: int | None
    created_by_trigger: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoryChange:
    """One field that changed, by a sync or in allwhere.

    Attributes:
        changed_at: when.
        sync_run_id: by which sync; None: in allwhere.
        actor: who, where a person did and allwhere tells.
        trigger: what that sync was started by.
        field: the column.
        old: what it held; always None for the bypass code. Assignees by name.
        new: what it holds since.
        reason: why, where there is more to say than that Intune says so.
    """

    changed_at: datetime
    sync_run_id: int | None
    actor: str | None
    trigger: str | None
    field: str
    old: str | None
    new: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """Who set a field's value of now.

    Attributes:
        by: ``Intune``, ``a person`` or ``an import``, with the sync's id or the person's name where it is known.
        at: when.
        sync_run_id: the sync; None when no sync did.
    """

    by: str
    at: datetime
    sync_run_id: int | None


@dataclass(frozen=True, slots=True)
class Reveal:
    """Somebody looked at the bypass code."""

    at: datetime
    actor: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known of one serial number in one account.

    Attributes:
        account: the account's slug.
        serial_number: as the asset or Intune writes it, else as it was asked for.
        is_eligible: whether a record of this serial is synced.
        verdict: one sentence: in, or why not.
        asset: the asset, None when there is none.
        records: Intune's records, the one that counts first.
        changes: what changed, newest first.
        sources: who set the value of each field that is not empty.
        kept: values that syncs leave as they are: locked, or put back by an undo.
        waiting: what waits for a decision, a sentence each.
        reveals: who looked at the bypass code, newest first.
    """

    account: str
    serial_number: str
    is_eligible: bool
    verdict: str
    asset: AssetStory | None
    records: tuple[IntuneRecord, ...]
    changes: tuple[StoryChange, ...]
    sources: Mapping[str, Source]
    kept: tuple[Kept, ...]
    waiting: tuple[str, ...]
    reveals: tuple[Reveal, ...]

    def as_dict(self) -> dict[str, Any]:
        """The story in JSON's types; times in ISO 8601."""
        return asdict(self, dict_factory=_json)

    def lines(self) -> list[str]:
        """The story for people, in a screen."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.serial_number} in {self.account}: {self.verdict}"
        yield from (f"Waits: {sentence}" for sentence in self.waiting)
        if self.asset:
            yield ""
            yield from _asset_lines(self.asset)
            yield from (f"  {line}" for line in _source_lines(self.sources))
        if self.kept:
            yield ""
            yield "Left as it is by syncs"
            yield from map(_kept_line, self.kept)
        if self.records:
            yield ""
            yield "Records in Intune"
            for record in self.records:
                yield from _record_lines(record)
        if self.changes:
            yield ""
            yield "Changes, newest first"
            yield from map(_change_line, self.changes[:SHOWN_CHANGES])
            if len(self.changes) > SHOWN_CHANGES:
                yield f"  … and {len(self.changes) - SHOWN_CHANGES} earlier ones; --json has them all"
        if self.reveals:
            yield ""
            yield "Bypass code revealed"
            yield from (
                f"  {moment(one.at)}  by {one.actor}: {one.reason or 'no reason given'}" for one in self.reveals
            )


def because(reason: str | None) -> str:
    """Why a device is skipped, as a phrase."""
    known = SKIPPED.get(reason or "")
    return known.because if known else "see the records"


def _asset_lines(asset: AssetStory) -> Iterator[str]:
    if asset.created_by_run:
        origin = f"created by sync {asset.created_by_run} ({asset.created_by_trigger})"
    else:
        origin = "entered by a person or an import"
    yield f"Asset {asset.id}, {asset.fields['status']}, {origin} on {moment(asset.created_at)}"
    yield f"  assignee: {asset.assignee or 'nobody'}"
    details = [f"{name} {value}" for name, value in asset.fields.items() if name not in {"serial_number", "status"}]
    if asset.has_bypass_code:
        details.append("bypass code stored, encrypted")
    for start in range(0, len(details), 4):
        yield f"  {', '.join(details[start : start + 4])}"


def _record_lines(record: IntuneRecord) -> Iterator[str]:
    what = shown_model(record.manufacturer, record.model_name, record.model) or "of unknown make"
    name = f" {record.device_name!r}" if record.device_name else ""
    yield f"  {record.outcome}{f' ({record.reason})' if record.reason else ''}: {record.intune_device_id}{name}, {what}"
    contact = f"last contact {moment(record.last_contact_at)}" if record.last_contact_at else "never in contact"
    yield f"    {record.device_type} by rule {record.rule}: {record.rule_reason}"
    synced = f", last synced {moment(record.last_synced_at)}" if record.last_synced_at else ", never synced"
    yield f"    {contact}, last listed {moment(record.last_seen_at)}{synced}"
    if record.candidate_user:
        yield f"    {record.candidate_user} seen as its user in {record.candidate_syncs} syncs in a row, not yet assigned"


def _change_line(change: StoryChange) -> str:
    run = f"sync {change.sync_run_id} ({change.trigger})" if change.sync_run_id else change.actor or "a person"
    values = "changed" if change.field == SEALED_FIELD else f"{change.old or 'nothing'} → {change.new or 'nothing'}"
    return f"  {moment(change.changed_at)}  {run}  {change.field}: {values}{f' ({change.reason})' if change.reason else ''}"


def moment(at: datetime) -> str:
    """A time to the minute."""
    return f"{at:%Y-%m-%d %H:%M}"


def _json(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in items}


def _source_lines(sources: Mapping[str, Source]) -> Iterator[str]:
    by_source: dict[tuple[str, str], list[str]] = {}
    for field, source in sources.items():
        by_source.setdefault((source.by, moment(source.at)), []).append(field)
    for (by, at), fields in by_source.items():
        yield f"set by {by} on {at}: {', '.join(fields)}"


def _kept_line(kept: Kept) -> str:
    why = "locked" if kept.kind is KeptKind.LOCKED else "undone, kept back"
    says = f"; Intune says {kept.intune_value}" if kept.intune_value else ""
    return f"  {kept.field}: {why} by {kept.set_by} on {moment(kept.set_at)}{says}"
