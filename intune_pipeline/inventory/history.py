"""Why a serial number is in an account's inventory as it is, or why it is not: gathering the whole story.

Belongs here: reading it from the tables. Does not belong here: what it holds and how it is told (``story``).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from intune_pipeline.domain.fields import SEALED_FIELD
from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import Outcome, SkipReason, Trigger
from intune_pipeline.inventory import accounts, kept_values
from intune_pipeline.inventory.schema import SERIAL_KEY_SQL
from intune_pipeline.inventory.story import (
    AssetStory,
    IntuneRecord,
    Reveal,
    Source,
    Story,
    StoryChange,
    because,
    moment,
)


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
    changes = tuple(StoryChange(**change) for change in db.execute(_CHANGES, given).mappings())
    shown = row["serial_number"] if row else db.execute(_SHOWN_SERIAL, given).scalar()
    return Story(
        account=account,
        serial_number=shown or serial_number,
        is_eligible=any(record.outcome == Outcome.SYNCED and not _is_away(record) for record in records),
        verdict=_verdict(records, asset),
        asset=asset,
        records=records,
        changes=changes,
        sources=_sources(asset, changes),
        kept=tuple(kept_values.of_serial(db, account_id, str(given["key"]))),
        waiting=tuple(_waiting(db, given)),
        reveals=tuple(Reveal(**reveal) for reveal in db.execute(_REVEALS, given).mappings()),
    )


def why_record(db: Connection, account: str, intune_device_id: str) -> Story | None:
    """The story of one of Intune's records: of its serial number, or of it alone where that names no one device.

    Args:
        db: any connection.
        account: the account's slug.
        intune_device_id: Intune's id of the record.

    Returns:
        None when no sync has seen such a record.

    Raises:
        UnknownAccountError: there is no such account.
    """
    given = {"account_id": accounts.get(db, account).id, "intune_device_id": intune_device_id}
    row = db.execute(_RECORD, given).mappings().one_or_none()
    if row is None:
        return None
    if names_one_device(row["serial_number"], row["reason"]):
        return why(db, account, row["serial_number"])
    records = (IntuneRecord(**{name: row[name] for name in IntuneRecord.__slots__}),)
    return Story(
        account=account,
        serial_number="",
        is_eligible=False,
        verdict=_verdict(records, None),
        asset=None,
        records=records,
        changes=(),
        sources={},
        kept=(),
        waiting=(),
        reveals=(),
    )


def names_one_device(serial_number: str | None, reason: str | None) -> bool:
    """Whether a record's serial number stands for one device; placeholders are those of many."""
    return bool(serial_key(serial_number)) and reason not in {SkipReason.NO_SERIAL, SkipReason.JUNK_SERIAL}


def _asset(row: RowMapping) -> AssetStory:
    told = {
        "id",
        "account_id",
        "serial_key",
        "assignee_id",
        "assigned_by_person_at",
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


def _sources(asset: AssetStory | None, changes: Sequence[StoryChange]) -> dict[str, Source]:
    """The last change of each field says who set it; what never changed came with the asset."""
    if asset is None:
        return {}
    if asset.created_by_run:
        origin = Source(f"Intune, sync {asset.created_by_run}", asset.created_at, asset.created_by_run)
    else:
        origin = Source("an import or a person's entry", asset.created_at, None)
    fields = [*asset.fields, *(["assignee_id"] if asset.assignee else []), *([SEALED_FIELD] * asset.has_bypass_code)]
    last: dict[str, Source] = {}
    for change in changes:
        # A change that left the value as it was is a lock or its end.
        if change.field not in last and (change.old != change.new or change.field == SEALED_FIELD):
            last[change.field] = Source(_by(change), change.changed_at, change.sync_run_id)
    return {field: last.get(field, origin) for field in fields}


def _by(change: StoryChange) -> str:
    if change.sync_run_id is None:
        return change.actor or "a person"
    if change.trigger == Trigger.UNDO:
        return f"undo, run {change.sync_run_id}"
    return f"Intune, sync {change.sync_run_id}"


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
        return f"gone from Intune since {moment(record.ended_at)}; {name}."
    if record.absent_lists:
        times = "list" if record.absent_lists == 1 else "lists"
        return f"absent from the last {record.absent_lists} {times} of Intune, last seen {moment(record.last_seen_at)}; {name}."
    if record.outcome == Outcome.SYNCED:
        return f"eligible, {name}: a {record.device_type} of the company, by rule {record.rule}."
    if record.outcome == Outcome.FAILED:
        return f"could not be written; {name}. {record.reason}"
    return f"skipped ({record.reason}): {because(record.reason)}; {name}."


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
_RECORD_COLUMNS: Final = ", ".join(f"o.{name}" for name in IntuneRecord.__slots__)
_RECORD = sa.text(f"""
    select o.serial_number, {_RECORD_COLUMNS} from device_outcomes o join connections c on c.id = o.connection_id
    where c.account_id = :account_id and o.intune_device_id = :intune_device_id
""")  # noqa: S608 - a constant
_RECORDS = sa.text(f"""
    select {_RECORD_COLUMNS}
    from device_outcomes o join connections c on c.id = o.connection_id
    where c.account_id = :account_id and o.serial_key = :key
    order by o.ended_at nulls first, o.absent_lists, o.outcome <> 'synced', o.last_seen_at desc,
             o.last_contact_at desc nulls last, o.intune_device_id
""")  # noqa: S608 - a constant
_SHOWN_SERIAL = sa.text("""
    select o.serial_number from device_outcomes o join connections c on c.id = o.connection_id
    where c.account_id = :account_id and o.serial_key = :key
    order by o.last_seen_at desc limit 1
""")
_CHANGES = sa.text(f"""
    select h.changed_at, h.sync_run_id, h.actor, r.trigger, h.field, h.reason,
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
