"""A person's choice of assignee stands until Intune's user changes.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Nothing is known of earlier choices: until a person chooses again, assets behave as before."""
    op.add_column("assets", sa.Column("assigned_by_person_at", sa.DateTime(timezone=True), comment=_CHOSEN))
    listed = "compared e-mail of the user the last list showed, empty for nobody"
    op.add_column("device_outcomes", sa.Column("listed_user", sa.Text(), comment=listed))
    since = "the first list that showed this user without a break"
    op.add_column("device_outcomes", sa.Column("listed_user_since", sa.DateTime(timezone=True), comment=since))
    for statement in (_RECORD, _NOTE, _TRIGGER):
        op.execute(statement)


_CHOSEN = "when a person chose the assignee; null when a sync did so last or nobody changed it; a trigger keeps it"
# As before, but for the new column, which is no change of its own.
_RECORD = """
create or replace function record_asset_changes() returns trigger language plpgsql as $$
begin
    insert into asset_changes (asset_id, field, old_value, new_value, actor)
    select new.id, field, old_row.value, new_row.value, nullif(current_setting('allwhere.actor', true), '')
    from jsonb_each_text(to_jsonb(new)) new_row (field, value)
    join jsonb_each_text(to_jsonb(old)) old_row (field, value) using (field)
    where new_row.value is distinct from old_row.value
      and field not in ('serial_key', 'sync_run_id', 'created_at', 'updated_at', 'activation_lock_bypass_code',
                        'assigned_by_person_at');
    return null;
end
$$
"""
_NOTE = """
create function note_who_assigned() returns trigger language plpgsql as $$
begin
    new.assigned_by_person_at := case
        when coalesce(current_setting('intune_pipeline.records_changes', true), '') <> 'on' then now() end;
    return new;
end
$$
"""
_TRIGGER = """
create trigger note_who_assigned before update of assignee_id on assets for each row
when (old.assignee_id is distinct from new.assignee_id) execute function note_who_assigned()
"""
