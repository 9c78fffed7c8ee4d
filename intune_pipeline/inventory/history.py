"""Why a serial number is in an account's inventory as it is, or why it is not: the whole story, as one value.

Belongs here: gathering the story and telling it in plain lines. Does not belong here: printing it (``cli``, ``portal``).
A bypass code is never part of it, only whether there is one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from intune_pipeline.domain.devices import serial_key
from intune_pipeline.domain.fields import SEALED_FIELD
from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import Outcome
from intune_pipeline.inventory import accounts
from intune_pipeline.inventory.schema import SERIAL_KEY_SQL

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
    """One field a sync changed.

    Attributes:
        changed_at: when.
        sync_run_id: by which sync.
        trigger: what that sync was started by.
        field: the column.
        old: what it held; always None for the bypass code. Assignees by name.
        new: what it holds since.
        reason: why, where there is more to say than that Intune says so.
    """

    changed_at: datetime
    sync_run_id: int | None
    trigger: str | None
    field: str
    old: str | None
    new: str | None
    reason: str | None


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
        changes: what syncs changed, newest first.
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
        if self.records:
            yield ""
            yield "Records in Intune"
            for record in self.records:
                yield from _record_lines(record)
        if self.changes:
            yield ""
            yield "Changes by syncs, newest first"
            yield from map(_change_line, self.changes[:SHOWN_CHANGES])
            if len(self.changes) > SHOWN_CHANGES:
                yield f"  … and {len(self.changes) - SHOWN_CHANGES} earlier ones; --json has them all"
        if self.reveals:
            yield ""
            yield "Bypass code revealed"
            yield from (f"  {_time(one.at)}  by {one.actor}: {one.reason or 'no reason given'}" for one in self.reveals)


def why(db: Connection, account: str, serial_number: str) -> Story:
    """The story of one serial number.

    Args:
        db: any connection.
        account: the account's slug.
        serial_number: in any spelling.

    Raises:
        UnknownAccountError: there is no such account.
    """
    account_id = accounts.get(db, account).id
    given = {"account_id": account_id, "key": serial_key(serial_number) or ""}
    row = db.execute(_ASSET, given).mappings().one_or_none()
    records = tuple(IntuneRecord(**record) for record in db.execute(_RECORDS, given).mappings())
    asset = _asset(row) if row else None
    shown = row["serial_number"] if row else db.execute(_SHOWN_SERIAL, given).scalar()
    return Story(
        account=account,
        serial_number=shown or serial_number,
        is_eligible=any(record.outcome == Outcome.SYNCED and not _is_away(record) for record in records),
        verdict=_verdict(records, asset),
        asset=asset,
        records=records,
        changes=tuple(StoryChange(**change) for change in db.execute(_CHANGES, given).mappings()),
        waiting=tuple(_waiting(db, given)),
        reveals=tuple(Reveal(**reveal) for reveal in db.execute(_REVEALS, given).mappings()),
    )


def _asset(row: RowMapping) -> AssetStory:
    told = {
        "id",
        "account_id",
        "serial_key",
        "assignee_id",
        "sync_run_id",
        "created_at",
        "updated_at",
        "assignee",
        "trigger",
    }
    fields = {name: value for name, value in row.items() if value is not None and name not in {*told, SEALED_FIELD}}
    return AssetStory(
        id=row["id"],
        fields=fields,
        has_bypass_code=row[SEALED_FIELD] is not None,
        assignee=row["assignee"],
        created_at=row["created_at"],
        created_by_run=row["sync_run_id"],
        created_by_trigger=row["trigger"],
        updated_at=row["updated_at"],
    )


def _waiting(db: Connection, given: Mapping[str, Any]) -> Iterator[str]:
    for hold in db.execute(_HELD_ASSIGNEES, given):
        yield (
            f"{hold.first_name} {hold.last_name} ({hold.email}) is not made an employee and assignee before somebody "
            f"decides: an employee has the same name (hold {hold.id})."
        )
    for hold in db.execute(_HELD_ENDS, given):
        yield f"The device left Intune, but its end is held: {hold.reason} (hold {hold.id})"


def _is_away(record: IntuneRecord) -> bool:
    return record.ended_at is not None or record.absent_lists > 0


def _verdict(records: Sequence[IntuneRecord], asset: AssetStory | None) -> str:
    if not records:
        where = "an asset that no sync has seen in Intune" if asset else "unknown"
        return (
            f"{where}; if Intune lists it, then as a personal device, of which nothing is kept, or for another account."
        )
    record = records[0]
    name = f"asset {asset.id}" if asset else "no asset"
    if record.ended_at:
        return f"gone from Intune since {_time(record.ended_at)}; {name}."
    if record.absent_lists:
        times = "list" if record.absent_lists == 1 else "lists"
        return f"absent from the last {record.absent_lists} {times} of Intune, last seen {_time(record.last_seen_at)}; {name}."
    if record.outcome == Outcome.SYNCED:
        return f"eligible, {name}: a {record.device_type} of the company, by rule {record.rule}."
    if record.outcome == Outcome.FAILED:
        return f"could not be written; {name}. {record.reason}"
    return f"skipped ({record.reason}): {_why_skipped(record.reason)}; {name}."


def _why_skipped(reason: str | None) -> str:
    known = SKIPPED.get(reason or "")
    return known.because if known else "see the records"


def _asset_lines(asset: AssetStory) -> Iterator[str]:
    if asset.created_by_run:
        origin = f"created by sync {asset.created_by_run} ({asset.created_by_trigger})"
    else:
        origin = "entered by a person or an import"
    yield f"Asset {asset.id}, {asset.fields['status']}, {origin} on {_time(asset.created_at)}"
    yield f"  assignee: {asset.assignee or 'nobody'}"
    details = [f"{name} {value}" for name, value in asset.fields.items() if name not in {"serial_number", "status"}]
    if asset.has_bypass_code:
        details.append("bypass code stored, encrypted")
    for start in range(0, len(details), 4):
        yield f"  {', '.join(details[start : start + 4])}"


def _record_lines(record: IntuneRecord) -> Iterator[str]:
    what = " ".join(part for part in (record.manufacturer, record.model) if part) or "of unknown make"
    name = f" {record.device_name!r}" if record.device_name else ""
    yield f"  {record.outcome}{f' ({record.reason})' if record.reason else ''}: {record.intune_device_id}{name}, {what}"
    contact = f"last contact {_time(record.last_contact_at)}" if record.last_contact_at else "never in contact"
    yield f"    {record.device_type} by rule {record.rule}: {record.rule_reason}"
    synced = f", last synced {_time(record.last_synced_at)}" if record.last_synced_at else ", never synced"
    yield f"    {contact}, last listed {_time(record.last_seen_at)}{synced}"
    if record.candidate_user:
        yield f"    {record.candidate_user} seen as its user in {record.candidate_syncs} syncs in a row, not yet assigned"


def _change_line(change: StoryChange) -> str:
    run = f"sync {change.sync_run_id} ({change.trigger})" if change.sync_run_id else "a person's decision"
    values = "changed" if change.field == SEALED_FIELD else f"{change.old or 'nothing'} → {change.new or 'nothing'}"
    return (
        f"  {_time(change.changed_at)}  {run}  {change.field}: {values}{f' ({change.reason})' if change.reason else ''}"
    )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _json(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in items}


_EMPLOYEE_LABEL: Final = """
    e.first_name || ' ' || e.last_name || coalesce(
        ' (' || (select string_agg(m.email, ', ' order by m.kind desc, m.email_key)
                 from employee_emails m where m.employee_id = e.id) || ')', '')
"""
_ASSET = sa.text(f"""
    select a.*, r.trigger, {_EMPLOYEE_LABEL} as assignee
    from assets a left join employees e on e.id = a.assignee_id left join sync_runs r on r.id = a.sync_run_id
    where a.account_id = :account_id and a.serial_key = :key
""")  # noqa: S608 - a constant
_RECORDS = sa.text("""
    select o.intune_device_id, o.outcome, o.reason, o.device_type, o.rule, o.rule_reason, o.manufacturer, o.model,
           o.operating_system, o.device_name, o.last_contact_at, o.first_seen_at, o.last_seen_at, o.first_synced_at,
           o.last_synced_at, o.absent_lists, o.ended_at, o.candidate_user, o.candidate_syncs
    from device_outcomes o join connections c on c.id = o.connection_id
    where c.account_id = :account_id and o.serial_key = :key
    order by o.ended_at nulls first, o.absent_lists, o.outcome <> 'synced', o.last_seen_at desc,
             o.last_contact_at desc nulls last, o.intune_device_id
""")
_SHOWN_SERIAL = sa.text("""
    select o.serial_number from device_outcomes o join connections c on c.id = o.connection_id
    where c.account_id = :account_id and o.serial_key = :key
    order by o.last_seen_at desc limit 1
""")
_CHANGES = sa.text(f"""
    select h.changed_at, h.sync_run_id, r.trigger, h.field, h.reason,
           case when h.field = 'assignee_id' then coalesce(
               (select {_EMPLOYEE_LABEL} from employees e where e.id = h.old_value::bigint), h.old_value)
               else h.old_value end as old,
           case when h.field = 'assignee_id' then coalesce(
               (select {_EMPLOYEE_LABEL} from employees e where e.id = h.new_value::bigint), h.new_value)
               else h.new_value end as new
    from asset_changes h join assets a on a.id = h.asset_id left join sync_runs r on r.id = h.sync_run_id
    where a.account_id = :account_id and a.serial_key = :key
    order by h.changed_at desc, h.id desc
""")  # noqa: S608 - a constant
_HELD_ASSIGNEES = sa.text("""
    select h.id, h.first_name, h.last_name, h.email
    from held_assignments w join employee_holds h on h.id = w.employee_hold_id join assets a on a.id = w.asset_id
    where a.account_id = :account_id and a.serial_key = :key and h.decision = 'waiting'
""")
_HELD_ENDS = sa.text("""
    select h.id, h.reason
    from lifecycle_holds h
    join connections c on c.id = h.connection_id
    join device_outcomes o on o.connection_id = c.id and h.intune_device_ids ? o.intune_device_id
    where c.account_id = :account_id and o.serial_key = :key and h.decision = 'waiting'
    group by h.id
""")
_REVEALS = sa.text(f"""
    select l.at, l.actor, l.reason from audit_log l
    where l.account_id = :account_id and l.action = 'reveal' and {SERIAL_KEY_SQL.format("l.subject")} = :key
    order by l.at desc
""")  # noqa: S608 - a constant
