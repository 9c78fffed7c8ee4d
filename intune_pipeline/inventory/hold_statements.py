"""The statements of ``holds``.

Belongs here: SQL. Does not belong here: when it is executed.
"""

import sqlalchemy as sa

from intune_pipeline.inventory.sync_locks import LOCK_IS_HELD

WAITING_EMPLOYEES = sa.text("""
    with waiting as (
        select h.id, h.first_name, h.last_name, h.email,
               e.first_name || ' ' || e.last_name || coalesce(' (' || emails.list || ')', '') as lookalike, h.created_at,
               h.kind, h.reason, h.grade, h.display_name
        from employee_holds h
        join connections c on c.id = h.connection_id
        join accounts a on a.id = c.account_id
        left join employees e on e.id = h.lookalike_id
        left join lateral (
            select string_agg(m.email, ', ' order by m.email_key) as list from employee_emails m
            where m.employee_id = e.id
        ) emails on true
        where a.slug = :account and h.decision = 'waiting'
    )
    select * from waiting w
    where cast(:pattern as text) is null
       or concat_ws(' ', w.first_name, w.last_name, w.email, w.display_name, w.lookalike) ilike :pattern
    order by w.kind, w.grade desc, w.last_name, w.first_name, w.display_name, w.id
    limit cast(:limit as bigint) offset :offset
""")
LOCKED_EMPLOYEES = sa.text("""
    select h.id, h.email, h.lookalike_id, h.first_name is not null and h.last_name is not null as has_name,
           nullif(concat_ws(' ', e.first_name, e.last_name), '') as lookalike_name
    from employee_holds h join connections c on c.id = h.connection_id left join employees e on e.id = h.lookalike_id
    where c.account_id = :account_id and h.id = any(cast(:ids as bigint[])) and h.decision = 'waiting'
    order by h.id for update of h
""")
DECIDED_EMPLOYEES = sa.text("""
    update employee_holds
    set decision = :decision, decided_by = :decided_by, decided_at = now(), decision_id = :decision_id
    where id = any(cast(:ids as bigint[]))
""")
LINKED = sa.text("""
    with added as (
        insert into employee_emails (employee_id, account_id, email, kind)
        select h.lookalike_id, :account_id, h.email, 'work' from employee_holds h
        where h.id = any(cast(:ids as bigint[]))
        order by h.email_key
        on conflict do nothing
        returning email_key
    )
    update employee_holds h set adds_address = true from added
    where h.id = any(cast(:ids as bigint[])) and h.email_key = added.email_key
""")
UNLINKED = sa.text("""
    delete from employee_emails m using employee_holds h
    where h.decision_id = :id and h.adds_address and m.account_id = :account_id and m.email_key = h.email_key
""")
EMPLOYEES_WAIT = sa.text("""
    update employee_holds
    set decision = 'waiting', decided_by = null, decided_at = null, decision_id = null, adds_address = false
    where decision_id = :id
""")
LOCKED_ENDS = sa.text("""
    select h.* from lifecycle_holds h join connections c on c.id = h.connection_id
    where c.account_id = :account_id and h.decision = 'waiting'
    for update of h
""")
WAIT_AGAIN = sa.text("""
    insert into lifecycle_holds as h (connection_id, sync_run_id, intune_device_ids, reason, created_at)
    values (:connection_id, :sync_run_id, cast(:ids as jsonb), :reason, :created_at)
    on conflict (connection_id) where decision = 'waiting'
    do update set intune_device_ids = (
        select jsonb_agg(id order by id) from (
            select jsonb_array_elements_text(h.intune_device_ids) as id
            union select jsonb_array_elements_text(excluded.intune_device_ids)
        ) every_device
    )
""")
LOCKED_DECISION = sa.text(f"""
    select d.*, {LOCK_IS_HELD} as is_syncing
    from hold_decisions d join connections c on c.id = d.connection_id
    where c.account_id = :account_id and d.id = :id
    for update of d
""")  # noqa: S608 - a constant
