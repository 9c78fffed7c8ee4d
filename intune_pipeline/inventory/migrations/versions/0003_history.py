"""People's changes in the history, values a sync keeps, runs that undo others.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nothing that is there changes; existing runs have none of the new counts."""
    op.add_column("asset_changes", sa.Column("actor", sa.Text(), comment=_ACTOR))
    op.create_table_comment(
        "asset_changes",
        "every field of an existing asset that changed: by a sync, or in allwhere, which a trigger records",
        existing_comment="every field of an existing asset that a sync changed",
    )
    for name, comment in _COUNTS.items():
        column = sa.Column(name, sa.Integer(), server_default="0", nullable=False, comment=comment)
        op.add_column("sync_runs", column)
    op.add_column("sync_runs", sa.Column("undoes_run_id", sa.BigInteger(), comment=_UNDOES))
    op.add_column("sync_runs", sa.Column("started_by", sa.Text(), comment="who started it, where a person did"))
    op.create_foreign_key(op.f("sync_runs_undoes_run_id_fkey"), "sync_runs", "sync_runs", ["undoes_run_id"], ["id"])
    op.create_index(
        op.f("sync_runs_undoes_run_id_idx"),
        "sync_runs",
        ["undoes_run_id"],
        postgresql_where=sa.text("undoes_run_id is not null"),
    )
    op.create_table(
        "kept_values",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("serial_key", sa.Text(), nullable=False, comment="the asset's serial number in compared form"),
        sa.Column(
            "field",
            sa.Text(),
            nullable=False,
            comment="column of assets, or asset: that there is none of this serial number",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="locked: until it is unlocked; undone: while Intune says the same",
        ),
        sa.Column("evidence", sa.Text(), comment="what Intune said when it was undone; null for locks"),
        sa.Column("intune_value", sa.Text(), comment="what Intune says now and the sync does not write"),
        sa.Column("set_by", sa.Text(), nullable=False, comment="who locked it, or undid the run"),
        sa.Column("sync_run_id", sa.BigInteger(), comment="the undo that keeps it; null for locks"),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="when"),
        sa.CheckConstraint("kind in ('locked', 'undone')", name=op.f("kept_values_kind_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("kept_values_account_id_fkey")),
        sa.ForeignKeyConstraint(["sync_run_id"], ["sync_runs.id"], name=op.f("kept_values_sync_run_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("kept_values_pkey")),
        sa.UniqueConstraint(
            "account_id", "serial_key", "field", "kind", name=op.f("kept_values_account_id_serial_key_field_kind_key")
        ),
        comment="values of assets that a sync leaves as they are",
    )
    op.create_table(
        "undone_rows",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("sync_run_id", sa.BigInteger(), nullable=False, comment="the undo that removed the row"),
        sa.Column("kind", sa.Text(), nullable=False, comment="asset or employee"),
        sa.Column("content", JSONB(), nullable=False, comment="the row as it was; undoing the undo brings it back"),
        sa.CheckConstraint("kind in ('asset', 'employee')", name=op.f("undone_rows_kind_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("undone_rows_account_id_fkey")),
        sa.ForeignKeyConstraint(["sync_run_id"], ["sync_runs.id"], name=op.f("undone_rows_sync_run_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("undone_rows_pkey")),
        comment="assets and employees that an undo removed",
    )
    op.create_index(op.f("undone_rows_sync_run_id_idx"), "undone_rows", ["sync_run_id"])
    op.create_table(
        "failed_devices",
        sa.Column("sync_run_id", sa.BigInteger(), nullable=False, comment="the sync"),
        sa.Column("intune_device_id", sa.Text(), nullable=False, comment="Intune's id of the device record"),
        sa.Column("serial_number", sa.Text(), comment="as Intune shows it"),
        sa.Column("reason", sa.Text(), nullable=False, comment="one sentence: why it could not be written"),
        sa.ForeignKeyConstraint(
            ["sync_run_id"], ["sync_runs.id"], name=op.f("failed_devices_sync_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sync_run_id", "intune_device_id", name=op.f("failed_devices_pkey")),
        comment="the devices of each sync that could not be written",
    )
    # PostgreSQL looks for these before it deletes an asset or an employee.
    op.create_index(op.f("held_assignments_asset_id_idx"), "held_assignments", ["asset_id"])
    op.create_index(op.f("employee_holds_lookalike_id_idx"), "employee_holds", ["lookalike_id"])
    op.execute(_RECORD)
    op.execute(_TRIGGER)


_ACTOR = "who changed it in allwhere, when allwhere tells by its setting allwhere.actor"
_UNDOES = "the run whose writes this one puts back"
_COUNTS = {
    "assets_removed": "assets that undoing a run removed",
    "employees_removed": "employees that undoing a run removed",
    "devices_gone": "devices known from earlier syncs that a complete list does not hold any more",
    "values_kept": "values of Intune that were not written because they are locked or undone",
}

# A sync writes its own history, with reasons, and says so by the setting. The bypass code is left out: only the vault
# writes it, and a new key makes a new ciphertext of the same code.
_RECORD = """
create function record_asset_changes() returns trigger language plpgsql as $$
begin
    insert into asset_changes (asset_id, field, old_value, new_value, actor)
    select new.id, field, old_row.value, new_row.value, nullif(current_setting('allwhere.actor', true), '')
    from jsonb_each_text(to_jsonb(new)) new_row (field, value)
    join jsonb_each_text(to_jsonb(old)) old_row (field, value) using (field)
    where new_row.value is distinct from old_row.value
      and field not in ('serial_key', 'sync_run_id', 'created_at', 'updated_at', 'activation_lock_bypass_code');
    return null;
end
$$
"""
_TRIGGER = """
create trigger record_asset_changes after update on assets for each row
when (old.* is distinct from new.* and coalesce(current_setting('intune_pipeline.records_changes', true), '') <> 'on')
execute function record_asset_changes()
"""
