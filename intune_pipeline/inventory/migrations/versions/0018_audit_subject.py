"""The audit log keeps the sign-in provider's id of who acted; the daemon says that it lives.

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Rows of before name no subject, and their digests stay as they are."""
    op.add_column(
        "audit_log",
        sa.Column(
            "actor_subject",
            sa.Text(),
            comment="the sign-in provider's id of the portal user who acted; null for others",
        ),
    )
    op.alter_column(
        "audit_log",
        "content_digest",
        existing_type=sa.Text(),
        existing_nullable=False,
        comment="SHA-256 of salt, actor, subject, reason, details and actor_subject",
        existing_comment="SHA-256 of salt, actor, subject, reason and details",
    )
    schema = op.get_bind().dialect.identifier_preparer.quote(
        str(op.get_bind().scalar(sa.text("select current_schema()")))
    )
    op.execute(f"""
        create or replace function audit_chained() returns trigger language plpgsql set search_path = {schema}, pg_temp as $$
        begin
            -- One writer per account at a time, until it commits; the id is drawn afterwards, so that ids follow the chain.
            perform pg_advisory_xact_lock({0x1A7E_0003}, hashint8(new.account_id));
            new.id := nextval(pg_get_serial_sequence('audit_log', 'id'));
            new.actor_subject := nullif(current_setting('app.actor_subject', true), '');
            new.salt := gen_random_uuid()::text;
            new.previous_hash := coalesce(
                (select l.hash from audit_log l where l.account_id = new.account_id order by l.id desc limit 1), '');
            new.content_digest := audit_content_digest(
                new.salt, new.actor, new.subject, new.reason,
                new.details || jsonb_strip_nulls(jsonb_build_object('actor_subject', new.actor_subject)));
            new.hash := audit_hash(
                new.previous_hash, new.id, new.account_id, new.action, new.at, new.content_digest);
            return new;
        end $$
    """)  # noqa: S608 - a constant and a quoted name
    op.create_table(
        "heartbeats",
        sa.Column("process", sa.Text(), nullable=False, comment="which: daemon"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when it last said that it lives"),
        sa.PrimaryKeyConstraint("process", name=op.f("heartbeats_pkey")),
        comment="processes that say every half minute that they live",
    )
