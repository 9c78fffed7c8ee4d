"""Webhooks and what was sent to them; ends of syncs as events; employees' changes with before and after; marks.

Revision ID: 0021
"""
# ruff: noqa: S608 - constants of this file

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Nothing that is there changes; events that are stored already stay as they are."""
    _events()
    _webhooks()
    _deliveries()
    op.create_table(
        "feed_marks",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="a moment"),
        sa.Column("horizon", sa.BigInteger(), nullable=False, comment="every earlier transaction had ended by then"),
        sa.PrimaryKeyConstraint("at", name=op.f("feed_marks_pkey")),
        comment="which changes a reader of that moment has seen; written every half minute, kept for 90 days",
    )
    for function in _FUNCTIONS:
        op.execute(function)
    for trigger in _TRIGGERS:
        op.execute(trigger)


def _events() -> None:
    op.drop_constraint(op.f("change_events_entity_check"), "change_events")
    op.drop_constraint(op.f("change_events_kind_check"), "change_events")
    op.create_check_constraint(
        op.f("change_events_entity_check"), "change_events", "entity in ('asset', 'employee', 'sync')"
    )
    op.create_check_constraint(
        op.f("change_events_kind_check"),
        "change_events",
        "kind in ('created', 'updated', 'assigned', 'ended', 'merged', 'undone', 'locked', 'removed', 'finished', 'failed')",
    )
    op.alter_column("change_events", "entity", comment="asset, employee or sync", existing_comment="asset or employee")
    op.create_table_comment(
        "change_events",
        "every change of assets and employees for the change feed, and ends of syncs for webhooks; kept for 90 days",
        existing_comment="every change of assets and employees for the change feed; kept for 90 days",
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False, comment="generated; the secrets are bound to it"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("url", sa.Text(), nullable=False, comment="where messages are sent; https"),
        sa.Column(
            "description",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="what it is for, in people's own words",
        ),
        sa.Column("events", ARRAY(sa.Text()), nullable=False, comment="what it tells: sync.finished, asset.changed …"),
        sa.Column("status", sa.Text(), server_default="on", nullable=False, comment="on, paused, switched_off"),
        sa.Column("status_reason", sa.Text(), comment="why it was switched off, one sentence"),
        _moment("status_since", "since when"),
        sa.Column("secret", sa.Text(), nullable=False, comment="ciphertext of what messages are signed with"),
        sa.Column("previous_secret", sa.Text(), comment="ciphertext of the secret before, which signs too for a day"),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True), comment="how long it does"),
        sa.Column("cursor", sa.Text(), nullable=False, comment="how far change_events were made into messages"),
        sa.Column("read_to", sa.BigInteger(), nullable=False, comment="transaction from which on there may be more"),
        sa.Column("needs_told", sa.Text(), comment="digest of what waits for people as it was told last"),
        _moment("needs_looked_at", "when what waits was compared with that"),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False, comment="failures in a row"),
        _moment("next_try_at", "not before this"),
        sa.Column("claimed_until", sa.DateTime(timezone=True), comment="while a process sends to it"),
        sa.Column("created_by", sa.Text(), nullable=False, comment="who made it"),
        _moment("created_at", "when"),
        sa.CheckConstraint("status in ('on', 'paused', 'switched_off')", name=op.f("webhooks_status_check")),
        sa.CheckConstraint("url like 'https://%'", name=op.f("webhooks_https_check")),
        sa.CheckConstraint(
            "secret like 'v1.%' and previous_secret like 'v1.%'", name=op.f("webhooks_secrets_ciphertext_check")
        ),
        sa.CheckConstraint("failures >= 0", name=op.f("webhooks_failures_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("webhooks_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("webhooks_pkey")),
        comment="where accounts are told of changes (Standard Webhooks)",
    )
    op.create_index(op.f("webhooks_account_id_idx"), "webhooks", ["account_id"])


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="the order in which messages are sent",
        ),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("webhook_id", sa.Uuid(), nullable=False, comment="the webhook's row"),
        sa.Column(
            "message_id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="the header webhook-id, the same at every try",
        ),
        sa.Column("event", sa.Text(), nullable=False, comment="the message's type"),
        sa.Column(
            "event_ids",
            ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="rows of change_events it tells; the message is made of them when it is sent",
        ),
        sa.Column("status", sa.Text(), server_default="waiting", nullable=False, comment="waiting, accepted, refused"),
        sa.Column("asked_by", sa.Text(), comment="who asked for it to be sent at once, by a test or a replay"),
        sa.Column(
            "tries",
            JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="every try: at, status, seconds, problem",
        ),
        _moment("created_at", "when"),
        sa.Column("accepted_at", sa.DateTime(timezone=True), comment="when the receiver said yes"),
        sa.CheckConstraint(
            "event in ('sync.finished', 'sync.failed', 'asset.changed', 'employee.created', 'needs.changed', "
            "'webhook.test')",
            name=op.f("webhook_deliveries_event_check"),
        ),
        sa.CheckConstraint(
            "status in ('waiting', 'accepted', 'refused')", name=op.f("webhook_deliveries_status_check")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("webhook_deliveries_account_id_fkey")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("webhook_deliveries_webhook_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_deliveries_pkey")),
        comment="messages to webhooks and what became of them; kept for 30 days",
    )
    op.create_index(op.f("webhook_deliveries_webhook_id_id_idx"), "webhook_deliveries", ["webhook_id", "id"])
    op.create_index(
        "webhook_deliveries_waiting_idx",
        "webhook_deliveries",
        ["webhook_id", "id"],
        postgresql_where=sa.text("status = 'waiting'"),
    )


def _moment(name: str, comment: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment=comment)


# A merge names itself in the setting, so that its many changes are told as one kind.
_KIND = "coalesce(nullif(current_setting('intune_pipeline.change_kind', true), ''), 'updated')"
_NOTE = "insert into change_events (account_id, entity, entity_id, kind, field, old_value, new_value)"
_FUNCTIONS = (
    """
    create function note_ended_sync() returns trigger language plpgsql as $$
    begin
        insert into change_events (account_id, entity, entity_id, kind, sync_run_id)
        select c.account_id, 'sync', new.id, case new.status when 'succeeded' then 'finished' else 'failed' end, new.id
        from connections c where c.id = new.connection_id;
        return null;
    end
    $$
    """,
    f"""
    create or replace function note_changed_employees() returns trigger language plpgsql as $$
    begin
        {_NOTE}
        select n.account_id, 'employee', n.id, {_KIND}, f.name, f.old_value, f.new_value
        from added n join gone o using (id)
        cross join lateral (values ('first_name', o.first_name, n.first_name), ('last_name', o.last_name, n.last_name))
            as f (name, old_value, new_value)
        where f.old_value is distinct from f.new_value order by n.id;
        return null;
    end
    $$
    """,
    # An address that comes with its employee is part of their creation.
    f"""
    create or replace function note_new_addresses() returns trigger language plpgsql as $$
    begin
        {_NOTE}
        select m.account_id, 'employee', m.employee_id, {_KIND}, 'email', null, m.email
        from added m join employees e on e.id = m.employee_id where e.created_at <> now();
        return null;
    end
    $$
    """,
    # An address that moves to another employee is a change of both.
    f"""
    create or replace function note_changed_addresses() returns trigger language plpgsql as $$
    begin
        {_NOTE}
        select o.account_id, 'employee', o.employee_id, {_KIND}, 'email', o.email, null
        from gone o where not exists (
            select from added n
            where n.account_id = o.account_id and n.employee_id = o.employee_id and n.email_key = o.email_key)
        union all
        select n.account_id, 'employee', n.employee_id, {_KIND}, f.name, f.old_value, f.new_value
        from added n
        left join gone o on o.account_id = n.account_id and o.employee_id = n.employee_id and o.email_key = n.email_key
        cross join lateral (values ('email', o.email, n.email), ('email_kind', coalesce(o.kind, n.kind), n.kind))
            as f (name, old_value, new_value)
        where f.old_value is distinct from f.new_value;
        return null;
    end
    $$
    """,
    f"""
    create or replace function note_removed_addresses() returns trigger language plpgsql as $$
    begin
        {_NOTE}
        select m.account_id, 'employee', m.employee_id, {_KIND}, 'email', m.email, null
        from gone m join employees e on e.id = m.employee_id;
        return null;
    end
    $$
    """,
)
_TRIGGERS = (
    """
    create trigger note_ended_sync after update of status on sync_runs for each row
    when (old.status = 'running' and new.status <> 'running') execute function note_ended_sync()
    """,
    """
    create trigger note_sync_that_ended_at_once after insert on sync_runs for each row
    when (new.status <> 'running') execute function note_ended_sync()
    """,
)
