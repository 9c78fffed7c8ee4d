"""Stored plans: what a sync would do, looked at before it is done."""

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, Integer, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.domain.vocabulary import LookalikeGrade, PlanLineKind, PlanStatus
from intune_pipeline.inventory.schema.base import metadata, now, one_of

OPEN_PLANS = (PlanStatus.REQUESTED, PlanStatus.PLANNING)
"""Statuses of a plan that was asked for and is not made yet."""

plans = Table(
    "plans",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid(), comment="run key of its Dagster run"),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column(
        "status",
        Text,
        nullable=False,
        server_default=PlanStatus.REQUESTED,
        comment="requested, planning, ready; approved, then applied or changed; failed",
    ),
    Column("requested_by", Text, nullable=False, server_default="", comment="who asked for it"),
    now("requested_at", "when"),
    Column("listed_at", DateTime(timezone=True), comment="when the list it was made from was read; null until made"),
    Column("made_at", DateTime(timezone=True), comment="when it was made; it is kept for a day"),
    Column(
        "counts", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="the counts the sync would report"
    ),
    Column("hold_reason", Text, comment="why endings are held; null when none is"),
    Column("follows_id", Uuid, comment="the approved plan in whose place it stands, because that one held no more"),
    Column(
        "differences",
        JSONB,
        nullable=False,
        server_default=text("'[]'::jsonb"),
        comment="what changed since that one: name, line before, line after",
    ),
    Column("approved_by", Text, comment="who approved it"),
    Column("approved_at", DateTime(timezone=True), comment="when"),
    Column("sync_run_id", ForeignKey("sync_runs.id"), comment="the sync that did exactly this, null for none"),
    Column("error", Text, comment="one sentence when it could not be made"),
    one_of("status", PlanStatus),
    Index(None, "connection_id", "requested_at"),
    Index("plans_open_key", "connection_id", unique=True, postgresql_where=text("status in ('requested', 'planning')")),
    comment="what a sync would do, asked for and made; approved, a sync does exactly that or says what changed",
)

plan_lines = Table(
    "plan_lines",
    metadata,
    Column("plan_id", ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True, comment="the plan's row"),
    Column("position", Integer, primary_key=True, comment="from 0"),
    Column("connection_id", BigInteger, nullable=False, comment="the connection's row"),
    Column("kind", Text, nullable=False, comment="what the plan says about it"),
    Column("name", Text, nullable=False, comment="serial number, else the device's id; of a person the e-mail"),
    Column("model", Text, nullable=False, server_default="", comment="the device's model, for people"),
    Column("note", Text, nullable=False, server_default="", comment="why; a person's name; why a device is skipped"),
    Column("grade", Text, comment="how sure it is that the person is an employee already, null without a look-alike"),
    Column("lookalike_id", BigInteger, comment="that employee"),
    Column(
        "reasons", JSONB, nullable=False, server_default=text("'[]'::jsonb"), comment="why it could be that employee"
    ),
    Column(
        "fields",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="each field's value before and after, secrets hidden",
    ),
    one_of("kind", PlanLineKind),
    one_of("grade", LookalikeGrade),
    comment="a stored plan line by line: assets, people, devices left out",
)
