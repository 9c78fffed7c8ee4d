"""Sync requests, runs, and what each run found out about devices."""

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
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.domain.counts import MEANINGS
from intune_pipeline.domain.vocabulary import DeviceType, Outcome, RequestStatus, RunPhase, RunStatus, Trigger
from intune_pipeline.inventory.schema.base import SERIAL_KEY_SQL, ciphertext, metadata, now, one_of

OPEN_REQUESTS = (RequestStatus.PENDING, RequestStatus.STARTED)
"""Statuses of a request that waits for a sync or for its end."""

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column("trigger", Text, nullable=False, comment="what started it: initial, schedule, manual, operator"),
    Column("status", Text, nullable=False, server_default=RunStatus.RUNNING, comment="running, succeeded, failed"),
    Column(
        "phase", Text, nullable=False, server_default=RunPhase.STARTING, comment="listing, details, reconciling, done"
    ),
    now("started_at", "when the run began"),
    now("progress_at", "when the row last changed"),
    Column("finished_at", DateTime(timezone=True), comment="when it ended, null while it runs"),
    Column("dagster_run_id", Text, unique=True, comment="Dagster's run"),
    Column(
        "list_complete",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="a capped or failed list proves no absence",
    ),
    *(Column(name, Integer, nullable=False, server_default="0", comment=means) for name, means in MEANINGS.items()),
    Column(
        "devices_skipped",
        Integer,
        nullable=False,
        server_default="0",
        comment="devices left out, personal ones included",
    ),
    Column(
        "skipped_by_reason",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="devices left out, by reason",
    ),
    Column("devices_read", Integer, nullable=False, server_default="0", comment="progress: read from Graph so far"),
    Column("devices_classified", Integer, nullable=False, server_default="0", comment="progress"),
    Column("devices_reconciled", Integer, nullable=False, server_default="0", comment="progress"),
    Column("requests", Integer, nullable=False, server_default="0", comment="requests to Graph, batch items included"),
    Column("throttled", Integer, nullable=False, server_default="0", comment="of these answered 429"),
    Column("undoes_run_id", ForeignKey("sync_runs.id"), comment="the run whose writes this one puts back"),
    Column("started_by", Text, comment="who started it, where a person did"),
    Column("cause", Text, comment="cause of microsoft.causes when the run failed"),
    Column("error", Text, comment="one sentence for people when the run failed"),
    one_of("trigger", Trigger),
    one_of("status", RunStatus),
    CheckConstraint("(status = 'running') = (finished_at is null)", name="finished_at"),
    CheckConstraint(
        "status <> 'succeeded' or devices_listed = devices_synced + devices_skipped + devices_failed", name="counts"
    ),
    Index(None, "connection_id", "started_at"),
    comment="every sync of a connection, its counts and its end",
)
Index(
    "sync_runs_last_good_idx",
    sync_runs.c.connection_id,
    sync_runs.c.finished_at,
    postgresql_where=sync_runs.c.status == RunStatus.SUCCEEDED,
)
Index(None, sync_runs.c.undoes_run_id, postgresql_where=sync_runs.c.undoes_run_id.is_not(None))
Index("sync_runs_running_idx", sync_runs.c.connection_id, postgresql_where=sync_runs.c.status == RunStatus.RUNNING)

failed_devices = Table(
    "failed_devices",
    metadata,
    Column("sync_run_id", ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True, comment="the sync"),
    Column("intune_device_id", Text, primary_key=True, comment="Intune's id of the device record"),
    Column("serial_number", Text, comment="as Intune shows it"),
    Column("reason", Text, nullable=False, comment="one sentence: why it could not be written"),
    comment="the devices of each sync that could not be written",
)

device_outcomes = Table(
    "device_outcomes",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True, comment="the connection's row"),
    Column("intune_device_id", Text, primary_key=True, comment="Intune's id of the device record"),
    Column("serial_number", Text, comment="as Intune shows it"),
    Column(
        "serial_key",
        Text,
        Computed(SERIAL_KEY_SQL.format("serial_number"), persisted=True),
        comment="compared form, as in assets",
    ),
    Column("outcome", Text, nullable=False, comment="synced, skipped or failed"),
    Column("reason", Text, comment="skip reason, or the sentence of a failure"),
    Column("device_type", Text, comment="laptop, tablet, mobile, desktop, unknown"),
    Column("rule", Text, comment="id of the classification rule that decided the type"),
    Column("rule_reason", Text, comment="why it decided so, in words"),
    Column("manufacturer", Text, comment="as Intune shows it"),
    Column("model", Text, comment="as Intune shows it"),
    Column("model_name", Text, comment="the model for people, as in assets"),
    Column("operating_system", Text, comment="as Intune shows it"),
    Column("device_name", Text, comment="as Intune shows it"),
    Column("last_contact_at", DateTime(timezone=True), comment="Intune's lastSyncDateTime"),
    Column(
        "asset_id",
        ForeignKey("assets.id", ondelete="SET NULL"),
        comment="the asset it stands for, null when there is none",
    ),
    Column("sync_run_id", BigInteger, comment="the run that last saw the device"),
    Column("first_synced_at", DateTime(timezone=True), comment="null until the device was synced once"),
    Column("last_synced_at", DateTime(timezone=True), comment="last sync that synced it"),
    now("first_seen_at", "first list that held the device"),
    now("last_seen_at", "last list that held the device"),
    Column("absent_lists", Integer, nullable=False, server_default="0", comment="complete lists in a row without it"),
    Column("absent_since", DateTime(timezone=True), comment="the first of these lists"),
    Column("listed_user", Text, comment="compared e-mail of the user the last list showed, empty for nobody"),
    Column(
        "listed_user_since", DateTime(timezone=True), comment="the first list that showed this user without a break"
    ),
    Column("candidate_user", Text, comment="user seen instead of the assignee, waiting for confirmation"),
    Column("candidate_syncs", Integer, nullable=False, server_default="0", comment="consecutive syncs that showed it"),
    Column("ended_at", DateTime(timezone=True), comment="when the device was found gone from Intune"),
    one_of("outcome", Outcome),
    Index(None, "connection_id", "serial_key"),
    Index(None, "asset_id"),
    comment="every device ever seen and what became of it; personal devices have no row",
)

device_details = Table(
    "device_details",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True, comment="the connection's row"),
    Column("intune_device_id", Text, primary_key=True, comment="Intune's id of the device record"),
    Column("memory_gb", Integer, comment="GiB"),
    Column("bypass_code", Text, comment="ciphertext, never plaintext"),
    Column("refreshed_at", DateTime(timezone=True), comment="last complete answer; null when none came yet"),
    Column("failure", Text, comment="why the last attempt gave nothing; retried at the next run"),
    ciphertext("bypass_code"),
    comment="what only a single request per device tells",
)

sync_requests = Table(
    "sync_requests",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid(), comment="run key of its Dagster run"),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column(
        "trigger",
        Text,
        nullable=False,
        server_default=Trigger.MANUAL,
        comment="initial for the first sync after connecting, else manual",
    ),
    Column("requested_by", Text, nullable=False, server_default="", comment="who asked"),
    now("requested_at", "when"),
    Column(
        "status",
        Text,
        nullable=False,
        server_default=RequestStatus.PENDING,
        comment="pending, started (a run was asked for), succeeded, failed",
    ),
    Column("sync_run_id", ForeignKey("sync_runs.id"), comment="the run that serves it, its own or one it joined"),
    Column("finished_at", DateTime(timezone=True), comment="when the sync that serves it ended"),
    Column("error", Text, comment="one sentence when it failed"),
    one_of("trigger", Trigger),
    one_of("status", RequestStatus),
    Index(None, "connection_id", "requested_at"),
    comment="asks for a sync: Sync Now, the first sync after connecting, operators",
)
Index(
    "sync_requests_open_key",
    sync_requests.c.connection_id,
    unique=True,
    postgresql_where=sync_requests.c.status.in_(OPEN_REQUESTS),
)

account_rules = Table(
    "account_rules",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("position", Integer, nullable=False, comment="rules are tried in this order"),
    Column(
        "maker_pattern",
        Text,
        nullable=False,
        server_default="",
        comment="RE2 searched for in the maker, case ignored; empty matches all",
    ),
    Column("model_pattern", Text, nullable=False, comment="RE2 searched for in the model, case ignored"),
    Column("device_type", Text, nullable=False, comment="what such devices are"),
    Column("note", Text, nullable=False, server_default="", comment="why, shown wherever the rule decides"),
    Column("created_by", Text, nullable=False, server_default="", comment="who added it"),
    now("created_at", "when"),
    UniqueConstraint("account_id", "position", deferrable=True, initially="DEFERRED"),
    one_of("device_type", DeviceType),
    comment="an account's own classification rules, tried before the catalogue",
)

unknown_models = Table(
    "unknown_models",
    metadata,
    Column(
        "sync_run_id",
        ForeignKey("sync_runs.id", ondelete="CASCADE"),
        primary_key=True,
        comment="the sync that saw them",
    ),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column("operating_system", Text, primary_key=True, comment="as Intune shows it, empty when it shows none"),
    Column("manufacturer", Text, primary_key=True, comment="likewise"),
    Column("model", Text, primary_key=True, comment="likewise"),
    Column("devices", Integer, nullable=False, comment="how many"),
    Column("example_serial_number", Text, comment="serial number of one of them"),
    Index(None, "connection_id"),
    comment="what a run could not classify, so that an operator sees what to teach next",
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("connection_id", ForeignKey("connections.id"), comment="null for what concerns every tenant"),
    Column("cause", Text, nullable=False, comment="a cause of microsoft.causes, or late, failed, lifecycle_hold …"),
    Column("message", Text, nullable=False, comment="one sentence: what happened and what to do"),
    now("raised_at", "when it was first seen"),
    Column("told_at", DateTime(timezone=True), comment="when people were told; null: not yet"),
    Column("cleared_at", DateTime(timezone=True), comment="when it was over; the same cause then is a new alert"),
    comment="what operators are told, one message per cause and tenant until it clears",
)
Index(
    "alerts_open_key",
    alerts.c.cause,
    func.coalesce(alerts.c.connection_id, 0),
    unique=True,
    postgresql_where=alerts.c.cleared_at.is_(None),
)
