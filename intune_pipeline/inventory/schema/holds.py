"""What waits for a person's decision, and the decisions."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.domain.vocabulary import (
    EmployeeDecision,
    EmployeeHoldKind,
    HoldKind,
    LifecycleDecision,
    LookalikeGrade,
)
from intune_pipeline.inventory.schema.base import metadata, now, one_of

hold_decisions = Table(
    "hold_decisions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column("kind", Text, nullable=False, comment="employees, lifecycle: the ends of assets whose devices are gone"),
    Column("decision", Text, nullable=False, comment="created, linked, skipped; released, dropped"),
    Column("size", Integer, nullable=False, comment="how many people or devices it is about"),
    Column("decided_by", Text, nullable=False, comment="who decided"),
    now("decided_at", "when"),
    Column(
        "applied_run_id",
        ForeignKey("sync_runs.id"),
        comment="the sync that took it up; null while it waits for one and can be taken back",
    ),
    Column("undone_by", Text, comment="who took it back"),
    Column("undone_at", DateTime(timezone=True), comment="when"),
    Index(None, "connection_id", "decided_at"),
    one_of("kind", HoldKind),
    CheckConstraint("decision in ('created', 'linked', 'skipped', 'released', 'dropped')", name="decision"),
    CheckConstraint("undone_at is null or applied_run_id is null", name="undone"),
    comment="what people decided about held employees and lifecycle ends: for all, for a search or for a chosen few",
)

employee_holds = Table(
    "employee_holds",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column("email", Text, nullable=False, comment="work e-mail of the person"),
    Column(
        "email_key", Text, Computed("lower(btrim(email))", persisted=True), comment="compared form: trimmed, lower case"
    ),
    Column("first_name", Text, comment="as it would be stored; null where no name can be read"),
    Column("last_name", Text, comment="as it would be stored; null where no name can be read"),
    Column("display_name", Text, comment="as Intune shows it"),
    Column(
        "kind", Text, nullable=False, server_default=EmployeeHoldKind.LOOKALIKE, comment="lookalike, shared: no person"
    ),
    Column("reason", Text, comment="why, a phrase for people"),
    Column("grade", Text, comment="surely or probably the same person; null for a shared account"),
    Column(
        "lookalike_id",
        ForeignKey("employees.id", ondelete="SET NULL"),
        comment="the employee who could be the same person",
    ),
    Column(
        "decision",
        Text,
        nullable=False,
        server_default=EmployeeDecision.WAITING,
        comment="waiting, created, linked, skipped",
    ),
    Column("decided_by", Text, comment="who decided, null while waiting"),
    Column("decided_at", DateTime(timezone=True), comment="when, null while waiting"),
    Column(
        "decision_id",
        ForeignKey("hold_decisions.id", ondelete="SET NULL"),
        comment="the decision it was part of, null while waiting",
    ),
    Column(
        "adds_address",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="whether linking wrote the address down, so that taking it back removes it",
    ),
    now("created_at", "when the sync held the employee back"),
    UniqueConstraint("connection_id", "email_key"),
    Index(None, "decision_id"),
    Index(None, "lookalike_id"),
    one_of("decision", EmployeeDecision),
    one_of("kind", EmployeeHoldKind),
    one_of("grade", LookalikeGrade),
    CheckConstraint("kind = 'shared' or (first_name is not null and last_name is not null)", name="name"),
    comment="users a sync did not make employees: look-alikes of employees and shared accounts, waiting for a decision",
)

held_assignments = Table(
    "held_assignments",
    metadata,
    Column(
        "employee_hold_id",
        ForeignKey("employee_holds.id", ondelete="CASCADE"),
        primary_key=True,
        comment="the held employee",
    ),
    Column(
        "asset_id",
        ForeignKey("assets.id", ondelete="CASCADE"),
        primary_key=True,
        comment="the asset that waits for them",
    ),
    Index(None, "asset_id"),
    comment="assets that get the held employee as assignee once decided, unless a person assigned someone meanwhile",
)

lifecycle_holds = Table(
    "lifecycle_holds",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column("sync_run_id", ForeignKey("sync_runs.id"), comment="the sync that held them"),
    Column("intune_device_ids", JSONB, nullable=False, comment="the devices that would have ended"),
    Column("reason", Text, nullable=False, comment="one sentence: what was exceeded"),
    Column(
        "decision", Text, nullable=False, server_default=LifecycleDecision.WAITING, comment="waiting, released, dropped"
    ),
    Column("decided_by", Text, comment="who decided, null while waiting"),
    Column("decided_at", DateTime(timezone=True), comment="when, null while waiting"),
    Column(
        "decision_id",
        ForeignKey("hold_decisions.id", ondelete="SET NULL"),
        comment="the decision, null while waiting",
    ),
    now("created_at", "when the run held them"),
    Index(None, "decision_id"),
    one_of("decision", LifecycleDecision),
    comment="lifecycle ends held back because there were too many at once",
)
Index(
    "lifecycle_holds_waiting_key",
    lifecycle_holds.c.connection_id,
    unique=True,
    postgresql_where=lifecycle_holds.c.decision == LifecycleDecision.WAITING,
)
