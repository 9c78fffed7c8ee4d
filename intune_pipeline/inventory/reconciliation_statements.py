"""The SQL that applies a plan: one statement per table and batch, its rows in one JSON parameter ``:rows``.

Belongs here: statements. Does not belong here: when they are run, and with what (``reconciliation``).
"""
# ruff: noqa: S608 - every name put into a statement is a column of the schema, a constant of this package

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from intune_pipeline.inventory import schema
from intune_pipeline.inventory.database import WITHOUT_WAITING
from intune_pipeline.inventory.state import ASSETS, ROW_VERSION, VALUE_FIELDS


def _columns(table: sa.Table, names: Iterable[str]) -> str:
    """A column definition list for the rows of a JSON parameter: the table's own types."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return ", ".join(f"{name} {table.c[name].type.compile(dialect=dialect)}" for name in names)


def _recordset(table: sa.Table, names: Iterable[str], alias: str) -> str:
    return f"json_to_recordset(cast(:rows as json)) as {alias} ({_columns(table, names)})"


def _list(names: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name in names)


_WRITTEN_FIELDS: Final = ("status", "assignee_id", *VALUE_FIELDS)
_CREATED_FIELDS: Final = ("serial_number", *_WRITTEN_FIELDS)
_HISTORY_FIELDS: Final = ("asset_id", "field", "old_value", "new_value", "reason")
OUTCOME_FIELDS: Final = (
    "intune_device_id", "serial_number", "outcome", "reason", "device_type", "rule", "rule_reason", "manufacturer",
    "model", "model_name", "operating_system", "device_name", "last_contact_at", "listed_user", "asset_id",
)  # fmt: skip
"""Columns of ``device_outcomes`` that are sent for each device; the statement fills the others."""

#: Every row is looked up by a key. PostgreSQL keeps the plan of a foreign key's check for the whole session, and the one made
#: while a table is nearly empty reads all of it: each new asset of a first sync would read all those before it.
BY_INDEX = sa.text("set local enable_seqscan = off")
BY_INDEX_WITHOUT_WAITING = sa.text(f"{BY_INDEX.text}; {WITHOUT_WAITING.text}")
LOCKED_ASSETS = sa.text(f"""
    select id, {ROW_VERSION} from assets
    where account_id = :account_id and serial_key = any(cast(:keys as text[]))
    order by id for no key update
""")
ASSETS_BY_ID = ASSETS.where(schema.assets.c.id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(sa.BigInteger))))
NEW_EMPLOYEES = sa.text("""
    with drafts as (
        select * from json_to_recordset(cast(:rows as json)) as d
            (email text, email_key text, first_name text, last_name text)
    ), mine as (
        insert into employee_emails (employee_id, account_id, email, kind)
        select nextval(pg_get_serial_sequence('employees', 'id')), :account_id, email, 'work'
        from drafts order by email_key
        on conflict do nothing
        returning employee_id, email
    ), made as (
        insert into employees (id, account_id, first_name, last_name, sync_run_id)
        select mine.employee_id, :account_id, drafts.first_name, drafts.last_name, :sync_run_id
        from mine join drafts using (email)
    )
    select drafts.email_key, mine.employee_id from mine join drafts using (email)
""")
EMPLOYEES_BY_EMAIL = sa.text("""
    select email_key, employee_id from employee_emails
    where account_id = :account_id and email_key = any(cast(:keys as text[]))
""")
NEW_ASSETS = sa.text(f"""
    insert into assets (account_id, sync_run_id, {_list(_CREATED_FIELDS)})
    select :account_id, :sync_run_id, {_list(_CREATED_FIELDS, "r.")}
    from {_recordset(schema.assets, _CREATED_FIELDS, "r")}
    order by {schema.SERIAL_KEY_SQL.format("r.serial_number")}
    on conflict (account_id, serial_key) do nothing
    returning id, serial_key
""")
#: The sync writes the history itself, with its reasons; the trigger of ``assets`` leaves it to those who say so.
RECORDS_CHANGES: Final = "set local intune_pipeline.records_changes = 'on'"
CHANGED_ASSETS = sa.text(f"""
    {RECORDS_CHANGES};
    update assets a set updated_at = now(), {", ".join(f"{name} = r.{name}" for name in _WRITTEN_FIELDS)}
    from {_recordset(schema.assets, ("id", *_WRITTEN_FIELDS), "r")}
    where a.id = r.id
""")
HISTORY = sa.text(f"""
    insert into asset_changes (sync_run_id, {_list(_HISTORY_FIELDS)})
    select :sync_run_id, {_list(_HISTORY_FIELDS, "r.")} from {_recordset(schema.asset_changes, _HISTORY_FIELDS, "r")}
""")
NEW_HOLDS = sa.text("""
    insert into employee_holds (connection_id, email, first_name, last_name, display_name, lookalike_id, kind, reason, grade)
    select :connection_id, r.* from json_to_recordset(cast(:rows as json)) as r
        (email text, first_name text, last_name text, display_name text, lookalike_id bigint, kind text, reason text,
         grade text)
    order by r.email
    on conflict (connection_id, email_key) do nothing
""")
#: A new address of somebody whom Entra's user id or principal name shows to be this employee.
NEW_ADDRESSES = sa.text("""
    insert into employee_emails (employee_id, account_id, email, kind)
    select r.employee_id, :account_id, r.email, 'work'
    from json_to_recordset(cast(:rows as json)) as r (employee_id bigint, email text)
    join employees e on e.id = r.employee_id and e.account_id = :account_id
    order by r.email
    on conflict do nothing
    returning email
""")
KNOWN_USERS = sa.text("""
    insert into known_users (connection_id, user_id, principal_name, employee_id)
    select distinct on (r.user_id) :connection_id, r.user_id, r.principal_name, e.id
    from json_to_recordset(cast(:rows as json)) as r
        (user_id text, principal_name text, email_key text, employee_id bigint)
    left join employee_emails m on m.account_id = :account_id and m.email_key = r.email_key
    join employees e on e.account_id = :account_id and e.id = coalesce(r.employee_id, m.employee_id)
    order by r.user_id
    on conflict (connection_id, user_id) do update
    set principal_name = excluded.principal_name, employee_id = excluded.employee_id
""")
HELD_ASSIGNMENTS = sa.text("""
    insert into held_assignments (employee_hold_id, asset_id)
    select h.id, r.asset_id
    from json_to_recordset(cast(:rows as json)) as r (email text, asset_id bigint)
    join employee_holds h on h.connection_id = :connection_id and h.email_key = lower(btrim(r.email))
    on conflict do nothing
""")
SETTLED = sa.text("""
    delete from held_assignments a using employee_holds h
    where h.id = a.employee_hold_id and h.connection_id = :connection_id
      and a.asset_id = any(cast(:asset_ids as bigint[]))
""")
FAILED_DEVICES = sa.text("""
    insert into failed_devices (sync_run_id, intune_device_id, serial_number, reason)
    select :sync_run_id, r.* from json_to_recordset(cast(:rows as json)) as r
        (intune_device_id text, serial_number text, reason text)
    on conflict do nothing
""")
KEPT_VALUES = sa.text("""
    update kept_values k set intune_value = r.intune_value
    from json_to_recordset(cast(:rows as json)) as r (id bigint, intune_value text)
    where k.id = r.id and k.account_id = :account_id
""")
RELEASED_VALUES = sa.text("""
    delete from kept_values where account_id = :account_id and id = any(cast(:ids as bigint[]))
""")
_UPSERTED_FIELDS: Final = tuple(name for name in OUTCOME_FIELDS if name not in {"intune_device_id", "asset_id"})
OUTCOMES = sa.text(f"""
    insert into device_outcomes as o
        (connection_id, sync_run_id, last_seen_at, listed_user_since, first_synced_at, last_synced_at,
         {_list(OUTCOME_FIELDS)})
    select :connection_id, :sync_run_id, :listed_at, :listed_at, synced.at, synced.at, {_list(OUTCOME_FIELDS, "r.")}
    from {_recordset(schema.device_outcomes, OUTCOME_FIELDS, "r")}
    cross join lateral (select case when r.outcome = 'synced' then now() end as at) synced
    order by r.intune_device_id
    on conflict (connection_id, intune_device_id) do update set
        sync_run_id = excluded.sync_run_id,
        last_seen_at = excluded.last_seen_at,
        listed_user_since = case
            when o.listed_user is null then o.first_seen_at
            when o.listed_user <> excluded.listed_user then excluded.last_seen_at
            else o.listed_user_since end,
        first_synced_at = coalesce(o.first_synced_at, excluded.first_synced_at),
        last_synced_at = coalesce(excluded.last_synced_at, o.last_synced_at),
        asset_id = case when excluded.outcome = 'failed' then o.asset_id else excluded.asset_id end,
        {", ".join(f"{name} = excluded.{name}" for name in _UPSERTED_FIELDS)},
        absent_lists = 0, absent_since = null, ended_at = null
""")
ENDED = sa.text("""
    update device_outcomes set ended_at = now()
    where connection_id = :connection_id and intune_device_id = any(cast(:ids as text[]))
""")
ABSENCES = sa.text("""
    update device_outcomes o set absent_lists = r.absent_lists, absent_since = r.absent_since
    from json_to_recordset(cast(:rows as json)) as r
        (intune_device_id text, absent_lists integer, absent_since timestamptz)
    where o.connection_id = :connection_id and o.intune_device_id = r.intune_device_id
""")
CANDIDATES = sa.text("""
    update device_outcomes o set candidate_user = r.candidate_user, candidate_syncs = r.candidate_syncs
    from json_to_recordset(cast(:rows as json)) as r
        (intune_device_id text, candidate_user text, candidate_syncs integer)
    where o.connection_id = :connection_id and o.intune_device_id = r.intune_device_id
""")
TAKEN_UP = sa.text("""
    update hold_decisions set applied_run_id = :sync_run_id
    where connection_id = :connection_id and id = any(cast(:ids as bigint[])) and undone_at is null
""")
#: Whoever decides about a part locks the row, too, so that what follows sees what they decided.
LOCKED_LIFECYCLE_HOLD = sa.text("""
    select from lifecycle_holds where connection_id = :connection_id and decision = 'waiting' for update
""")
#: What was decided about this absence since the plan was made waits no more.
LIFECYCLE_HOLD = sa.text("""
    with decided as (
        select device.id, max(h.decided_at) as at
        from lifecycle_holds h cross join jsonb_array_elements_text(h.intune_device_ids) as device (id)
        where h.connection_id = :connection_id and h.decision <> 'waiting'
        group by device.id
    )
    insert into lifecycle_holds (connection_id, sync_run_id, intune_device_ids, reason)
    select :connection_id, :sync_run_id, jsonb_agg(held.id order by held.id), :reason
    from unnest(cast(:ids as text[])) as held (id)
    join device_outcomes o on o.connection_id = :connection_id and o.intune_device_id = held.id
    left join decided d on d.id = held.id
    where d.at is null or d.at < o.absent_since
    having count(*) > 0
    on conflict (connection_id) where decision = 'waiting'
    do update set sync_run_id = excluded.sync_run_id, intune_device_ids = excluded.intune_device_ids,
        reason = excluded.reason
""")
