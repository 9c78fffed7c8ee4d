"""The SQL that reads what a run wrote and undoes it: one statement per table and batch.

Belongs here: statements. Does not belong here: deciding (``domain.undo``) and when they are run (``undo``).
"""
# ruff: noqa: S608 - every name put into a statement is a column of the schema, a constant of this package

from typing import Final

import sqlalchemy as sa

from intune_pipeline.domain.fields import SEALED_FIELD
from intune_pipeline.inventory import schema
from intune_pipeline.inventory.reconciliation_statements import RECORDS_CHANGES

#: The bypass code is not restored: the history holds no secrets, and the next sync writes it again.
_ROW: Final = f"to_jsonb(a) - '{SEALED_FIELD}'"
_ASSET_COLUMNS: Final = tuple(
    column.name for column in schema.assets.columns if column.computed is None and column.name != SEALED_FIELD
)
_PUT_BACK: Final = tuple(
    name
    for name in _ASSET_COLUMNS
    if name not in {"id", "account_id", "serial_number", "sync_run_id", "created_at", "updated_at"}
)

#: Which later change ``h`` of the same field counts: a person's, or a sync's that was not itself undone. A lock and its end
#: leave the value as it is.
_LATER_CHANGE: Final = """
    h.old_value is distinct from h.new_value and (h.sync_run_id is null or (
        r.trigger <> 'undo' and not exists (
            select from asset_changes u join sync_runs ur on ur.id = u.sync_run_id
            where u.asset_id = h.asset_id and u.field = h.field and u.id > h.id and ur.undoes_run_id = h.sync_run_id
        )
    ))
"""
_WHO: Final = "case when h.sync_run_id is null then 'changed by a person' else 'changed by sync ' || h.sync_run_id end"

WRITTEN_VALUES = sa.text(f"""
    with written as (
        select distinct on (asset_id, field) id, asset_id, field,
               first_value(old_value) over (partition by asset_id, field order by id) as old_value, new_value
        from asset_changes where sync_run_id = :run_id and field <> '{SEALED_FIELD}'
        order by asset_id, field, id desc
    )
    select a.id as asset_id, a.serial_number, a.serial_key, w.field, w.old_value as old, w.new_value as new,
           to_jsonb(a) ->> w.field as current, later.who as changed_by,
           w.field = 'assignee_id' and w.old_value is not null and not exists (
               select from employees e where e.id::text = w.old_value and e.account_id = a.account_id
           ) as old_is_gone
    from written w join assets a on a.id = w.asset_id
    left join lateral (
        select {_WHO} as who from asset_changes h left join sync_runs r on r.id = h.sync_run_id
        where h.asset_id = w.asset_id and h.field = w.field and h.id > w.id
          and h.sync_run_id is distinct from :run_id and ({_LATER_CHANGE})
        order by h.id desc limit 1
    ) later on true
    where a.account_id = :account_id
""")
CREATED_ASSETS = sa.text(f"""
    with changed as (
        select distinct on (h.asset_id) h.asset_id, {_WHO} as who
        from asset_changes h join assets a on a.id = h.asset_id left join sync_runs r on r.id = h.sync_run_id
        where a.account_id = :account_id and a.sync_run_id = :run_id and ({_LATER_CHANGE})
        order by h.asset_id, h.id desc
    )
    select a.id, a.serial_number, a.serial_key, a.assignee_id, {_ROW} as content,
           coalesce(changed.who, case when locked.serial_key is not null then 'locked by a person' end) as changed_by
    from assets a
    left join changed on changed.asset_id = a.id
    left join (
        select distinct serial_key from kept_values where account_id = :account_id and kind = 'locked'
    ) locked on locked.serial_key = a.serial_key
    where a.account_id = :account_id and a.sync_run_id = :run_id
""")
CREATED_EMPLOYEES = sa.text("""
    select e.id, emails.addresses, coalesce(held.asset_ids, '{}') as asset_ids,
           to_jsonb(e) || jsonb_build_object('emails', emails.list) as content
    from employees e
    join lateral (
        select count(*) as addresses,
               coalesce(jsonb_agg(jsonb_build_object('email', m.email, 'kind', m.kind)), '[]') as list
        from employee_emails m where m.employee_id = e.id
    ) emails on true
    join lateral (select array_agg(a.id) as asset_ids from assets a where a.assignee_id = e.id) held on true
    where e.account_id = :account_id and e.sync_run_id = :run_id
""")
REMOVED_ROWS = sa.text("""
    select u.id, u.kind, u.content,
           case u.kind
               when 'asset' then (
                   select 'another asset has its serial number' from assets a
                   where a.account_id = :account_id and a.serial_key = u.content ->> 'serial_key')
               else (
                   select 'another employee has their e-mail address' from employee_emails m
                   where m.account_id = :account_id
                     and m.email_key in (select lower(btrim(e ->> 'email')) from jsonb_array_elements(u.content -> 'emails') e)
                   limit 1)
           end as taken_by
    from undone_rows u where u.sync_run_id = :run_id and u.account_id = :account_id
""")
ADDRESSES = sa.text("""
    select employee_id::text, min(email_key) as email_key from employee_emails
    where account_id = :account_id and employee_id::text = any(cast(:ids as text[])) group by employee_id
""")
LOCKED = sa.text(f"""
    select a.id, {_ROW} as content from assets a
    where a.account_id = :account_id and a.id = any(cast(:ids as bigint[])) order by a.id for update
""")
PUT_BACK = sa.text(f"""
    {RECORDS_CHANGES};
    update assets a set updated_at = now(), {", ".join(f"{name} = r.{name}" for name in _PUT_BACK)}
    from json_to_recordset(cast(:rows as json)) as p (id bigint, patch jsonb)
    cross join lateral jsonb_populate_record(cast(null as assets), p.patch) r
    where a.id = p.id
""")
REMOVE_ASSETS = sa.text(f"""
    with device as (
        update device_outcomes o set outcome = 'skipped', reason = 'undone'
        where o.asset_id = any(cast(:ids as bigint[])) and o.outcome = 'synced' and :kept
    ), gone as (
        delete from assets a where a.account_id = :account_id and a.id = any(cast(:ids as bigint[]))
        returning {_ROW} as content
    )
    insert into undone_rows (account_id, sync_run_id, kind, content)
    select :account_id, :sync_run_id, 'asset', content from gone
""")
REMOVE_EMPLOYEES = sa.text("""
    with gone as (
        delete from employees e where e.account_id = :account_id and e.id = any(cast(:ids as bigint[]))
          and not exists (select from assets a where a.assignee_id = e.id)
        returning e.id
    )
    insert into undone_rows (account_id, sync_run_id, kind, content)
    select :account_id, :sync_run_id, 'employee', r.content
    from gone join json_to_recordset(cast(:rows as json)) as r (id bigint, content jsonb) using (id)
    returning (content ->> 'id')::bigint
""")
_EMPLOYEE = "jsonb_populate_record(cast(null as employees), u.content)"
BRING_BACK_EMPLOYEES = sa.text(f"""
    with back as (
        insert into employees (id, account_id, first_name, last_name, sync_run_id, created_at)
        select e.id, :account_id, e.first_name, e.last_name, e.sync_run_id, e.created_at
        from undone_rows u cross join lateral {_EMPLOYEE} e where u.id = any(cast(:ids as bigint[]))
        returning id
    )
    insert into employee_emails (employee_id, account_id, email, kind)
    select back.id, :account_id, m ->> 'email', m ->> 'kind'
    from undone_rows u join back on back.id = (u.content ->> 'id')::bigint
    cross join lateral jsonb_array_elements(u.content -> 'emails') m
    where u.id = any(cast(:ids as bigint[]))
""")
BRING_BACK_ASSETS = sa.text(f"""
    with back as (
        insert into assets ({", ".join(_ASSET_COLUMNS)})
        select {
    ", ".join(
        {
            "account_id": ":account_id",
            "updated_at": "now()",
            "assignee_id": "(select e.id from employees e where e.id = r.assignee_id and e.account_id = :account_id)",
        }.get(name, f"r.{name}")
        for name in _ASSET_COLUMNS
    )
}
        from undone_rows u cross join lateral jsonb_populate_record(cast(null as assets), u.content) r
        where u.id = any(cast(:ids as bigint[]))
        returning id, serial_key
    )
    update device_outcomes o set asset_id = back.id, outcome = 'synced', reason = null
    from back join connections c on c.account_id = :account_id
    where o.connection_id = c.id and o.serial_key = back.serial_key and o.reason = 'undone'
""")
DROP_REMOVED_ROWS = sa.text("delete from undone_rows where id = any(cast(:ids as bigint[]))")
HISTORY = sa.text("""
    insert into asset_changes (sync_run_id, asset_id, field, old_value, new_value, reason, actor)
    select :sync_run_id, r.*, :reason, :actor from json_to_recordset(cast(:rows as json)) as r
        (asset_id bigint, field text, old_value text, new_value text)
""")
KEEP = sa.text("""
    insert into kept_values (account_id, serial_key, field, kind, evidence, intune_value, set_by, sync_run_id)
    select :account_id, r.serial_key, r.field, 'undone', r.evidence, r.evidence, :actor, :sync_run_id
    from json_to_recordset(cast(:rows as json)) as r (serial_key text, field text, evidence text)
    on conflict (account_id, serial_key, field, kind) do update
    set evidence = excluded.evidence, set_by = excluded.set_by, sync_run_id = excluded.sync_run_id, set_at = now()
""")
KEEP_AWAY = sa.text("""
    insert into kept_values (account_id, serial_key, field, kind, evidence, set_by, sync_run_id)
    select :account_id, a.serial_key, 'asset', 'undone',
           (select o.intune_device_id from device_outcomes o where o.asset_id = a.id
            order by o.last_seen_at desc, o.last_contact_at desc nulls last limit 1), :actor, :sync_run_id
    from assets a where a.account_id = :account_id and a.id = any(cast(:ids as bigint[]))
    on conflict (account_id, serial_key, field, kind) do update
    set evidence = excluded.evidence, set_by = excluded.set_by, sync_run_id = excluded.sync_run_id, set_at = now()
""")
NO_LONGER_KEPT = sa.text("""
    delete from kept_values k using json_to_recordset(cast(:rows as json)) as r (serial_key text, field text)
    where k.account_id = :account_id and k.sync_run_id = :undoes and k.kind = 'undone'
      and k.serial_key = r.serial_key and k.field = r.field
""")
