"""What changed, in an order in which it can be read without missing anything: the change feed.

Revision ID: 0004
"""
# ruff: noqa: S608 - constants of this file

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The feed begins empty: what is there already is read from the tables themselves."""
    op.create_table(
        "change_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="order within a read"),
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
            comment="the transaction that made the change; readers stop before the oldest one that still runs",
        ),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("entity", sa.Text(), nullable=False, comment="asset or employee"),
        sa.Column("entity_id", sa.BigInteger(), nullable=False, comment="its row, which may be gone"),
        sa.Column("kind", sa.Text(), nullable=False, comment="created, updated, assigned, ended, undone, locked …"),
        sa.Column("sync_run_id", sa.BigInteger(), comment="the sync or undo that made it; null: in allwhere"),
        sa.Column("field", sa.Text(), comment="the column that changed; null for the whole row"),
        sa.Column("old_value", sa.Text(), comment="what it held"),
        sa.Column("new_value", sa.Text(), comment="what it holds since"),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="when"),
        sa.CheckConstraint("entity in ('asset', 'employee')", name=op.f("change_events_entity_check")),
        sa.CheckConstraint(
            "kind in ('created', 'updated', 'assigned', 'ended', 'merged', 'undone', 'locked', 'removed')",
            name=op.f("change_events_kind_check"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("change_events_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("change_events_pkey")),
        comment="every change of assets and employees for the change feed; kept for 90 days",
    )
    op.create_index(op.f("change_events_account_id_id_idx"), "change_events", ["account_id", "id"])
    op.create_index(
        op.f("change_events_account_id_transaction_id_id_idx"), "change_events", ["account_id", "transaction_id", "id"]
    )
    op.create_index(op.f("change_events_at_idx"), "change_events", ["at"])
    for function in _FUNCTIONS:
        op.execute(function)
    for table, event, tables, function in _TRIGGERS:
        op.execute(
            f"create trigger {function} after {event} on {table} referencing {tables} "
            f"for each statement execute function {function}()"
        )


# A merge names itself in the setting, so that its many changes are told as one kind.
_KIND = "coalesce(nullif(current_setting('intune_pipeline.change_kind', true), ''), {})"
_FUNCTIONS = (
    f"""
    create function note_new_assets() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind, sync_run_id)
        select account_id, 'asset', id, {_KIND.format("'created'")}, sync_run_id from added order by id;
        return null;
    end
    $$
    """,
    f"""
    create function note_removed_assets() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind)
        select account_id, 'asset', id, {_KIND.format("'removed'")} from gone order by id;
        return null;
    end
    $$
    """,
    f"""
    create function note_asset_changes() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind, sync_run_id, field, old_value, new_value)
        select a.account_id, 'asset', h.asset_id,
               {
        _KIND.format('''case
                   when r.trigger = 'undo' then 'undone'
                   when h.old_value is not distinct from h.new_value and h.field <> 'activation_lock_bypass_code'
                       then 'locked'
                   when h.field = 'status' and h.sync_run_id is not null and h.new_value = 'transferred' then 'ended'
                   when h.field = 'assignee_id' then 'assigned'
                   else 'updated' end''')
    },
               h.sync_run_id, h.field, h.old_value, h.new_value
        from added h join assets a on a.id = h.asset_id left join sync_runs r on r.id = h.sync_run_id
        order by h.id;
        return null;
    end
    $$
    """,
    f"""
    create function note_new_employees() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind, sync_run_id)
        select account_id, 'employee', id, {_KIND.format("'created'")}, sync_run_id from added order by id;
        return null;
    end
    $$
    """,
    f"""
    create function note_changed_employees() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind)
        select n.account_id, 'employee', n.id, {_KIND.format("'updated'")}
        from added n join gone o using (id)
        where (n.first_name, n.last_name) is distinct from (o.first_name, o.last_name) order by n.id;
        return null;
    end
    $$
    """,
    f"""
    create function note_removed_employees() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind)
        select account_id, 'employee', id, {_KIND.format("'removed'")} from gone order by id;
        return null;
    end
    $$
    """,
    # An address that comes with its employee is part of their creation.
    f"""
    create function note_new_addresses() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind)
        select distinct m.account_id, 'employee', m.employee_id, {_KIND.format("'updated'")}
        from added m join employees e on e.id = m.employee_id where e.created_at <> now();
        return null;
    end
    $$
    """,
    f"""
    create function note_changed_addresses() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind)
        select distinct account_id, 'employee', employee_id, {_KIND.format("'updated'")}
        from (select account_id, employee_id from added union select account_id, employee_id from gone) m;
        return null;
    end
    $$
    """,
    f"""
    create function note_removed_addresses() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind)
        select distinct m.account_id, 'employee', m.employee_id, {_KIND.format("'updated'")}
        from gone m join employees e on e.id = m.employee_id;
        return null;
    end
    $$
    """,
)
_ADDED, _GONE, _BOTH = "new table as added", "old table as gone", "old table as gone new table as added"
_TRIGGERS = (
    ("assets", "insert", _ADDED, "note_new_assets"),
    ("assets", "delete", _GONE, "note_removed_assets"),
    ("asset_changes", "insert", _ADDED, "note_asset_changes"),
    ("employees", "insert", _ADDED, "note_new_employees"),
    ("employees", "update", _BOTH, "note_changed_employees"),
    ("employees", "delete", _GONE, "note_removed_employees"),
    ("employee_emails", "insert", _ADDED, "note_new_addresses"),
    ("employee_emails", "update", _BOTH, "note_changed_addresses"),
    ("employee_emails", "delete", _GONE, "note_removed_addresses"),
)
