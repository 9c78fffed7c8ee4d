"""The tables of allwhere's database, described once: for queries, for migrations and for the data dictionary.

Belongs here: tables, constraints and their meaning. Does not belong here: queries and migrations' steps.
Operators import accounts, employees and assets with plain SQL: ids are generated, every column that is not needed has
a default, and compared forms are generated columns.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from intune_pipeline.domain.counts import MEANINGS
from intune_pipeline.domain.serials import SERIAL_DROPPED, SERIAL_REPLACED, SERIAL_REPLACEMENTS
from intune_pipeline.domain.vocabulary import (
    AssetStatus,
    ChangedEntity,
    ChangeKind,
    ConnectionStatus,
    ConnectStep,
    DeviceType,
    EmailKind,
    EmployeeDecision,
    EmployeeHoldKind,
    HoldKind,
    InvitationStatus,
    KeptKind,
    LifecycleDecision,
    LookalikeGrade,
    Outcome,
    RequestStatus,
    Role,
    RunPhase,
    RunStatus,
    Trigger,
    UndoneKind,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

OPEN_REQUESTS = (RequestStatus.PENDING, RequestStatus.STARTED)
"""Statuses of a request that waits for a sync or for its end."""


def _literal(characters: str) -> str:
    r"""A string of SQL in ASCII alone: "a\u00a0" becomes E'a\u00a0'."""
    escaped = (
        c if c.isascii() and c.isalnum() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in characters
    )
    return f"E'{''.join(escaped)}'"


#: SQL of a serial's compared form; the same law as ``domain.serials.serial_key``. translate() drops the characters of its
#: second argument that have no partner in the third.
SERIAL_KEY_SQL = (
    f"nullif(translate({{0}}, {_literal(SERIAL_REPLACED + SERIAL_DROPPED)}, {_literal(SERIAL_REPLACEMENTS)}), '')"
)


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} in ({', '.join(repr(word.value) for word in words)})", name=column)


def _ciphertext(column: str) -> CheckConstraint:
    """Plaintext cannot be stored by mistake; Fernet's form is of an earlier version, until ``bypass-code rotate``."""
    return CheckConstraint(f"{column} like 'gAAAA%' or {column} like 'v1.%'", name="bypass_code_ciphertext")


def _now(name: str, comment: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now(), comment=comment)


accounts = Table(
    "accounts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("slug", Text, nullable=False, unique=True, comment="name on the command line and Dagster partition key"),
    Column("name", Text, nullable=False, server_default="", comment="the customer's name, for people"),
    Column(
        "org_id",
        Text,
        unique=True,
        comment="the sign-in provider's immutable id of the organisation; null until the first sign-in or an operator sets it",
    ),
    CheckConstraint("slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' and length(slug) <= 63", name="slug"),
    comment="allwhere's customers",
)

connections = Table(
    "connections",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, unique=True, comment="the account's row"),
    Column(
        "tenant_id",
        Text,
        comment="Entra tenant GUID, lower case; null until an administrator's role and the grant are proven",
    ),
    Column(
        "candidate_tenant_id",
        Text,
        comment="the tenant whose administrator signed in and whose grant is not proven yet; reserves nothing",
    ),
    Column("requested_by", Text, comment="who began to connect it, in allwhere"),
    Column(
        "proven_at", DateTime(timezone=True), comment="when an administrator of the tenant last signed in to link it"
    ),
    Column("verifying_since", DateTime(timezone=True), comment="when verifying began, the last time"),
    Column("proven_by_oid", Text, comment="that administrator's object id in Entra"),
    Column("proven_by_upn", Text, comment="that administrator's user principal name"),
    Column(
        "proven_by_roles",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'::text[]"),
        comment="that administrator's directory roles that allow consent",
    ),
    Column(
        "status",
        Text,
        nullable=False,
        server_default=ConnectionStatus.PENDING,
        comment="how the link is doing; status_cause and status_message say why",
    ),
    Column("status_cause", Text, comment="cause of microsoft.causes that set the status, null when all is well"),
    Column("status_message", Text, comment="one sentence: what happened and what to do"),
    Column(
        "mdm_assignee_updates",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment='"Allow MDM to update allwhere assignee"',
    ),
    Column(
        "hold_lookalike_employees",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="hold new employees who share a name with one without a work e-mail, until somebody decides",
    ),
    Column(
        "assignee_confirmations",
        Integer,
        nullable=False,
        server_default="1",
        comment="consecutive syncs that must show the same new user before the assignee changes",
    ),
    Column(
        "enrolment_manager_devices",
        Integer,
        nullable=False,
        server_default="10",
        comment="a user of more devices than this is an enrolment manager and never becomes an assignee by a change",
    ),
    Column(
        "absent_lists",
        Integer,
        nullable=False,
        server_default="2",
        comment="complete lists a device must be missing from before it can count as gone",
    ),
    Column("absent_hours", Integer, nullable=False, server_default="20", comment="hours between those lists at least"),
    Column(
        "lifecycle_max_share",
        Double,
        nullable=False,
        server_default="0.1",
        comment="share of the synced devices that may end in one run before all are held",
    ),
    Column(
        "lifecycle_max_devices",
        Integer,
        nullable=False,
        server_default="50",
        comment="number of devices that may end in one run before all are held",
    ),
    Column("connected_at", DateTime(timezone=True), comment="when the link first worked"),
    Column("disconnected_at", DateTime(timezone=True), comment="when it was ended, null while it lives"),
    _now("created_at", "when the row came"),
    _one_of("status", ConnectionStatus),
    CheckConstraint("tenant_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'", name="tenant_id"),
    CheckConstraint("candidate_tenant_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'", name="candidate_tenant_id"),
    CheckConstraint("status <> 'connected' or tenant_id is not null", name="connected_tenant"),
    CheckConstraint(
        "assignee_confirmations >= 1 and enrolment_manager_devices >= 1 and absent_lists >= 1 and absent_hours >= 0 "
        "and lifecycle_max_share between 0 and 1 and lifecycle_max_devices >= 0",
        name="settings",
    ),
    comment="an account's link to its Microsoft Intune tenant, with the settings of its sync",
)
Index("connections_tenant_id_key", connections.c.tenant_id, unique=True)
Index(
    "connections_candidate_tenant_id_idx",
    connections.c.candidate_tenant_id,
    postgresql_where=connections.c.candidate_tenant_id.is_not(None),
)

tenant_owners = Table(
    "tenant_owners",
    metadata,
    Column("tenant_id", Text, primary_key=True, comment="Entra tenant GUID, lower case"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account it belongs to"),
    _now("since", "when the account proved it, or an operator moved it"),
    CheckConstraint("tenant_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'", name="tenant_id"),
    Index(None, "account_id"),
    comment="which account a tenant belongs to, also after a disconnect; only an operator moves it",
)

employees = Table(
    "employees",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("first_name", Text, nullable=False, comment="the person's first name"),
    Column("last_name", Text, nullable=False, comment="the person's last name"),
    Column("sync_run_id", BigInteger, comment="the sync run that created the employee, null for people's own entries"),
    _now("created_at", "when the row came"),
    UniqueConstraint("id", "account_id"),
    Index(None, "account_id"),
    comment="people who can hold an asset",
)

employee_emails = Table(
    "employee_emails",
    metadata,
    Column("employee_id", BigInteger, nullable=False, comment="the employee's row"),
    Column("account_id", BigInteger, primary_key=True, comment="the account's row"),
    Column("email", Text, nullable=False, comment="as entered"),
    Column("kind", Text, nullable=False, server_default=EmailKind.WORK, comment="work or personal; both match"),
    Column(
        "email_key",
        Text,
        Computed("lower(btrim(email))", persisted=True),
        primary_key=True,
        comment="compared form: trimmed, lower case",
    ),
    ForeignKeyConstraint(["employee_id", "account_id"], ["employees.id", "employees.account_id"], ondelete="CASCADE"),
    _one_of("kind", EmailKind),
    Index(None, "employee_id"),
    comment="e-mail addresses of employees; each once per account, compared without case",
)

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
    _now("started_at", "when the run began"),
    _now("progress_at", "when the row last changed"),
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
    _one_of("trigger", Trigger),
    _one_of("status", RunStatus),
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

assets = Table(
    "assets",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("serial_number", Text, nullable=False, comment="as Intune or a person wrote it"),
    Column(
        "serial_key",
        Text,
        Computed(SERIAL_KEY_SQL.format("serial_number"), persisted=True),
        nullable=False,
        comment="compared form: upper case, without spaces and invisible characters, plain digits and dashes",
    ),
    Column("asset_type", Text, comment="laptop, tablet, mobile …; set at creation, then allwhere's"),
    Column("name", Text, comment="a person's, never touched by a sync"),
    Column(
        "status",
        Text,
        nullable=False,
        server_default=AssetStatus.IN_INVENTORY,
        comment="what the customer does with it; a sync changes it only where the connection allows",
    ),
    Column("condition", Text, comment="a person's, never touched by a sync"),
    Column("location", Text, comment="a person's, never touched by a sync"),
    Column("notes", Text, comment="a person's, never touched by a sync"),
    Column("assignee_id", BigInteger, comment="who holds it"),
    Column(
        "assigned_by_person_at",
        DateTime(timezone=True),
        comment="when a person chose the assignee; null when a sync did so last or nobody changed it; a trigger keeps it",
    ),
    Column("color", Text, comment="colour"),
    Column("display_size", Text, comment="inches, as plain decimals"),
    Column("imei", Text, comment="IMEI"),
    Column("make", Text, comment="maker"),
    Column("model", Text, comment="what Intune says"),
    Column("model_name", Text, comment="the model for people: what the maker calls it, else the model cleaned"),
    Column("memory_gb", Integer, comment="GiB"),
    Column("storage_gb", Integer, comment="GB as sold"),
    Column(
        "storage_type",
        Text,
        comment="SSD (computers) or Flash (phones, tablets) where the family never had a disk, else as entered",
    ),
    Column("operating_system", Text, comment="operating system"),
    Column("os_version", Text, comment="its version"),
    Column("release_date", Text, comment="a year, or a date, as far as it is known"),
    Column("intune_device_id", Text, comment="Intune's id of the newest device record"),
    Column("azure_ad_device_id", Text, comment="Entra's id of the device"),
    Column("activation_lock_bypass_code", Text, comment="ciphertext, never plaintext"),
    Column("sync_run_id", BigInteger, comment="the sync run that created the asset, null for people's own entries"),
    _now("created_at", "when the row came"),
    _now("updated_at", "when a field last changed; a sync that changes nothing leaves it"),
    ForeignKeyConstraint(["assignee_id", "account_id"], ["employees.id", "employees.account_id"]),
    UniqueConstraint("account_id", "serial_key"),
    _one_of("status", AssetStatus),
    _ciphertext("activation_lock_bypass_code"),
    Index(None, "assignee_id"),
    comment="what a customer owns, one row per serial number",
)

asset_changes = Table(
    "asset_changes",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("asset_id", ForeignKey("assets.id", ondelete="CASCADE"), nullable=False, comment="the asset's row"),
    Column("sync_run_id", ForeignKey("sync_runs.id"), comment="the sync that changed it"),
    Column("field", Text, nullable=False, comment="column of assets"),
    Column("old_value", Text, comment="always null for the bypass code"),
    Column("new_value", Text, comment="always null for the bypass code"),
    Column("reason", Text, comment="a sentence where the change needs one: assignee changes, lifecycle ends"),
    Column("actor", Text, comment="who changed it in allwhere, when allwhere tells by its setting allwhere.actor"),
    _now("changed_at", "when"),
    Index(None, "asset_id", "changed_at"),
    Index(None, "sync_run_id"),
    comment="every field of an existing asset that changed: by a sync, or in allwhere, which a trigger records",
)

change_events = Table(
    "change_events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="order within a read"),
    Column(
        "transaction_id",
        BigInteger,
        nullable=False,
        server_default=text("(pg_current_xact_id()::text)::bigint"),
        comment="the transaction that made the change; readers stop before the oldest one that still runs",
    ),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("entity", Text, nullable=False, comment="asset or employee"),
    Column("entity_id", BigInteger, nullable=False, comment="its row, which may be gone"),
    Column("kind", Text, nullable=False, comment="created, updated, assigned, ended, undone, locked …"),
    Column("sync_run_id", BigInteger, comment="the sync or undo that made it; null: in allwhere"),
    Column("field", Text, comment="the column that changed; null for the whole row"),
    Column("old_value", Text, comment="what it held"),
    Column("new_value", Text, comment="what it holds since"),
    _now("at", "when"),
    _one_of("entity", ChangedEntity),
    _one_of("kind", ChangeKind),
    Index(None, "account_id", "id"),
    Index(None, "account_id", "transaction_id", "id"),
    Index(None, "at"),
    comment="every change of assets and employees for the change feed; kept for 90 days",
)

different_people = Table(
    "different_people",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("employee_id", ForeignKey("employees.id", ondelete="CASCADE"), primary_key=True, comment="the lower id"),
    Column("other_id", ForeignKey("employees.id", ondelete="CASCADE"), primary_key=True, comment="the higher id"),
    Column("declared_by", Text, nullable=False, comment="who said so"),
    _now("declared_at", "when"),
    Index(None, "other_id"),
    comment="employees who look alike and are different people, as somebody said",
)

merged_employees = Table(
    "merged_employees",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column(
        "kept_id",
        ForeignKey("employees.id", ondelete="CASCADE"),
        nullable=False,
        comment="the employee the other one became",
    ),
    Column("merged_id", BigInteger, nullable=False, comment="the id of the one who went"),
    Column("content", JSONB, nullable=False, comment="the row, its addresses and assets, so that it can come back"),
    Column("merged_by", Text, nullable=False, comment="who merged them"),
    _now("merged_at", "when"),
    Index(None, "kept_id"),
    comment="employees who were found to be another one and merged into them",
)

known_users = Table(
    "known_users",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True, comment="the connection's row"),
    Column("user_id", Text, primary_key=True, comment="Entra's id of the user, lower case"),
    Column("principal_name", Text, nullable=False, comment="compared user principal name, empty where there was none"),
    Column("employee_id", ForeignKey("employees.id", ondelete="CASCADE"), nullable=False, comment="the employee's row"),
    Index(None, "employee_id"),
    comment="which employee a user of Entra stands for, so that a new e-mail does not make a second one",
)

kept_values = Table(
    "kept_values",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("serial_key", Text, nullable=False, comment="the asset's serial number in compared form"),
    Column(
        "field", Text, nullable=False, comment="column of assets, or asset: that there is none of this serial number"
    ),
    Column("kind", Text, nullable=False, comment="locked: until it is unlocked; undone: while Intune says the same"),
    Column("evidence", Text, comment="what Intune said when it was undone; null for locks"),
    Column("intune_value", Text, comment="what Intune says now and the sync does not write"),
    Column("set_by", Text, nullable=False, comment="who locked it, or undid the run"),
    Column("sync_run_id", ForeignKey("sync_runs.id"), comment="the undo that keeps it; null for locks"),
    _now("set_at", "when"),
    UniqueConstraint("account_id", "serial_key", "field", "kind"),
    _one_of("kind", KeptKind),
    comment="values of assets that a sync leaves as they are",
)

undone_rows = Table(
    "undone_rows",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("sync_run_id", ForeignKey("sync_runs.id"), nullable=False, comment="the undo that removed the row"),
    Column("kind", Text, nullable=False, comment="asset or employee"),
    Column("content", JSONB, nullable=False, comment="the row as it was; undoing the undo brings it back"),
    Index(None, "sync_run_id"),
    _one_of("kind", UndoneKind),
    comment="assets and employees that an undo removed",
)

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
    _now("first_seen_at", "first list that held the device"),
    _now("last_seen_at", "last list that held the device"),
    Column("absent_lists", Integer, nullable=False, server_default="0", comment="complete lists in a row without it"),
    Column("absent_since", DateTime(timezone=True), comment="the first of these lists"),
    Column("listed_user", Text, comment="compared e-mail of the user the last list showed, empty for nobody"),
    Column(
        "listed_user_since", DateTime(timezone=True), comment="the first list that showed this user without a break"
    ),
    Column("candidate_user", Text, comment="user seen instead of the assignee, waiting for confirmation"),
    Column("candidate_syncs", Integer, nullable=False, server_default="0", comment="consecutive syncs that showed it"),
    Column("ended_at", DateTime(timezone=True), comment="when the device was found gone from Intune"),
    _one_of("outcome", Outcome),
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
    _ciphertext("bypass_code"),
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
    _now("requested_at", "when"),
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
    _one_of("trigger", Trigger),
    _one_of("status", RequestStatus),
    Index(None, "connection_id", "requested_at"),
    comment="asks for a sync: Sync Now, the first sync after connecting, operators",
)
Index(
    "sync_requests_open_key",
    sync_requests.c.connection_id,
    unique=True,
    postgresql_where=sync_requests.c.status.in_(OPEN_REQUESTS),
)

hold_decisions = Table(
    "hold_decisions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, comment="the connection's row"),
    Column("kind", Text, nullable=False, comment="employees, lifecycle: the ends of assets whose devices are gone"),
    Column("decision", Text, nullable=False, comment="created, linked, skipped; released, dropped"),
    Column("size", Integer, nullable=False, comment="how many people or devices it is about"),
    Column("decided_by", Text, nullable=False, comment="who decided"),
    _now("decided_at", "when"),
    Column(
        "applied_run_id",
        ForeignKey("sync_runs.id"),
        comment="the sync that took it up; null while it waits for one and can be taken back",
    ),
    Column("undone_by", Text, comment="who took it back"),
    Column("undone_at", DateTime(timezone=True), comment="when"),
    Index(None, "connection_id", "decided_at"),
    _one_of("kind", HoldKind),
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
    _now("created_at", "when the sync held the employee back"),
    UniqueConstraint("connection_id", "email_key"),
    Index(None, "decision_id"),
    Index(None, "lookalike_id"),
    _one_of("decision", EmployeeDecision),
    _one_of("kind", EmployeeHoldKind),
    _one_of("grade", LookalikeGrade),
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
    _now("created_at", "when the run held them"),
    Index(None, "decision_id"),
    _one_of("decision", LifecycleDecision),
    comment="lifecycle ends held back because there were too many at once",
)
Index(
    "lifecycle_holds_waiting_key",
    lifecycle_holds.c.connection_id,
    unique=True,
    postgresql_where=lifecycle_holds.c.decision == LifecycleDecision.WAITING,
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
    _now("created_at", "when"),
    UniqueConstraint("account_id", "position", deferrable=True, initially="DEFERRED"),
    _one_of("device_type", DeviceType),
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

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("actor", Text, nullable=False, comment="who: a portal user, or operator:NAME on the command line"),
    Column("action", Text, nullable=False, comment="connect, disconnect, settings, release, reveal, rule …"),
    Column(
        "subject",
        Text,
        nullable=False,
        server_default="",
        comment="what it was done to: a tenant, an e-mail, a serial number, a rule",
    ),
    Column("reason", Text, comment="in the actor's own words"),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="what changed"),
    _now("at", "when"),
    Column("salt", Text, comment="of content_digest; random, null once the person in the row was erased"),
    Column("content_digest", Text, nullable=False, comment="SHA-256 of salt, actor, subject, reason and details"),
    Column("previous_hash", Text, nullable=False, comment="hash of the account's row before, empty for the first"),
    Column(
        "hash", Text, nullable=False, comment="SHA-256 of previous_hash, id, account, action, time and content_digest"
    ),
    Index(None, "account_id", "at"),
    Index("audit_log_chain_idx", "account_id", "id"),
    comment="connects, changes, releases, reveals; a trigger chains each account's rows, which are never changed",
)

account_keys = Table(
    "account_keys",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("wrapped_key", Text, nullable=False, comment="the data key, encrypted with BYPASS_CODE_KEYS"),
    _now("created_at", "when"),
    Index(None, "account_id"),
    comment="the keys that encrypt an account's bypass codes, themselves encrypted; the newest that opens seals",
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("pseudonym", Text, nullable=False, comment="what stands where the person was named"),
    Column("salt", Text, nullable=False, comment="of the digests; random"),
    Column("digests", JSONB, nullable=False, comment="salted SHA-256 of each address and Entra user id"),
    Column("reason", Text, nullable=False, comment="in the operator's own words"),
    Column("erased_by", Text, nullable=False, comment="who erased"),
    _now("erased_at", "when"),
    Index(None, "account_id"),
    comment="people who were erased and whom no sync brings back while the row stands",
)

admin_invitations = Table(
    "admin_invitations",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("token_hash", Text, nullable=False, unique=True, comment="SHA-256 of the link's secret"),
    Column("requested_by", Text, nullable=False, comment="who asks, in allwhere"),
    Column(
        "choices",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="what was ticked on the connect page",
    ),
    Column(
        "status",
        Text,
        nullable=False,
        server_default="open",
        comment="open, answered, confirmed, refused, withdrawn; an open one ends by expires_at",
    ),
    Column("expires_at", DateTime(timezone=True), nullable=False, comment="72 hours after it was made"),
    _now("created_at", "when"),
    _one_of("status", InvitationStatus),
    comment="links that ask a customer's Microsoft administrator for consent; each is answered once",
)
Index(
    "admin_invitations_account_id_key",
    admin_invitations.c.account_id,
    unique=True,
    postgresql_where=admin_invitations.c.status.in_([InvitationStatus.OPEN, InvitationStatus.ANSWERED]),
)

connect_attempts = Table(
    "connect_attempts",
    metadata,
    Column("state_hash", Text, primary_key=True, comment="SHA-256 of the one-time state"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("session_hash", Text, nullable=False, comment="SHA-256 of the browser session the state is bound to"),
    Column("requested_by", Text, nullable=False, comment="who connects"),
    Column("step", Text, nullable=False, comment="consent, then sign_in"),
    Column("tenant_id", Text, comment="claimed by the consent redirect; proven only by the sign-in"),
    Column("secrets", Text, comment="nonce and PKCE verifier of the sign-in, sealed"),
    Column(
        "choices",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="what was ticked on the connect page",
    ),
    Column("expires_at", DateTime(timezone=True), nullable=False, comment="15 minutes after it began"),
    Column("used_at", DateTime(timezone=True), comment="when the state came back; it works once"),
    _now("created_at", "when"),
    _one_of("step", ConnectStep),
    comment="consents under way; each state works once, for 15 minutes",
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("connection_id", ForeignKey("connections.id"), comment="null for what concerns every tenant"),
    Column("cause", Text, nullable=False, comment="a cause of microsoft.causes, or late, failed, lifecycle_hold …"),
    Column("message", Text, nullable=False, comment="one sentence: what happened and what to do"),
    _now("raised_at", "when it was first seen"),
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

portal_sessions = Table(
    "portal_sessions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("token_hash", Text, nullable=False, unique=True, comment="SHA-256 of the token in the browser's cookie"),
    Column("account_id", ForeignKey("accounts.id"), index=True, comment="null: an organisation allwhere does not know"),
    Column("subject", Text, nullable=False, index=True, comment="the sign-in provider's id of the person"),
    Column("email", Text, nullable=False, comment="verified e-mail, empty when there is none"),
    Column("name", Text, nullable=False, comment="for show, empty when there is none"),
    Column("role", Text, comment="primary_admin or secondary_admin; null for somebody who is no admin"),
    Column("beta", Boolean, nullable=False, comment="whether the person has the permission intune:beta"),
    Column("authenticated_at", DateTime(timezone=True), comment="auth_time of the provider; null when it did not say"),
    Column("signed_in_at", DateTime(timezone=True), nullable=False, comment="when the session began"),
    Column("last_seen_at", DateTime(timezone=True), nullable=False, comment="last request, to the minute"),
    Column(
        "ended_at", DateTime(timezone=True), comment="signed out or ended by an operator; null: not ended by anybody"
    ),
    _one_of("role", Role),
    comment="sign-ins to the portal; ended after 8 hours, after an hour without a request, or by somebody",
    info={"apart_by": None},  # asked before it is known who signs in
)

kept_forms = Table(
    "kept_forms",
    metadata,
    Column("token_hash", Text, primary_key=True, comment="SHA-256 of the token in the address that shows it again"),
    Column(
        "session_id",
        ForeignKey("portal_sessions.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
        comment="the session it was typed in; one form per session is kept",
    ),
    Column("sealed", Text, nullable=False, comment="where it was sent and what was typed, encrypted"),
    Column("kept_at", DateTime(timezone=True), nullable=False, comment="forgotten an hour later"),
    comment="forms sent with a sign-in that had ended or was too old, shown again after signing in",
    info={"apart_by": None},  # of a session
)

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("name", Text, primary_key=True, comment="what is limited"),
    Column("key", Text, primary_key=True, comment="whose uses are counted: an account or an address"),
    Column(
        "used_until",
        DateTime(timezone=True),
        nullable=False,
        index=True,
        comment="theoretical arrival time of the generic cell rate algorithm; in the past: nothing is used up",
    ),
    comment="how much of each limit is used up, for all processes of the portal together",
    info={"apart_by": None},  # of addresses too
)

security_counts = Table(
    "security_counts",
    metadata,
    Column("hour", DateTime(timezone=True), primary_key=True, comment="the hour, by its beginning"),
    Column("event", Text, primary_key=True, comment="an event of the security log"),
    Column("account", Text, primary_key=True, comment="the account's slug, empty when none is known"),
    Column("times", Integer, nullable=False, comment="how often"),
    comment="how often each security event happened; many in an hour alarm operators",
    info={"apart_by": None},  # of nobody known too
)

# -- frames between Dagster assets, in schema pipeline --------------------------------------------------------------

PIPELINE = "pipeline"


def _frame(name: str, comment: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("partition_key", Text, nullable=False, index=True, comment="the account's slug"),
        *columns,
        schema=PIPELINE,
        comment=comment,
        prefixes=["UNLOGGED"],
    )


def _text(name: str, comment: str) -> Column[Any]:
    return Column(name, Text, comment=comment)


def _time(name: str, comment: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), comment=comment)


snapshots = Table(
    "snapshots",
    metadata,
    Column("asset", Text, primary_key=True, comment="the Dagster asset"),
    Column("partition_key", Text, primary_key=True, comment="the account's slug"),
    Column("tenant_id", Text, nullable=False, comment="the Entra tenant that was listed"),
    Column("run_id", Text, nullable=False, comment="Dagster run that wrote the frame"),
    Column("listing_id", Text, nullable=False, comment="the listing all frames of one run stem from"),
    Column("listed_at", DateTime(timezone=True), nullable=False, comment="when the listing began"),
    Column("complete", Boolean, nullable=False, comment="false for a capped list, which proves no absence"),
    Column("devices_listed", Integer, nullable=False, comment="devices in the list, personal ones included"),
    Column("personal", Integer, nullable=False, comment="personal devices, counted and dropped"),
    Column(
        "unreadable",
        Integer,
        nullable=False,
        server_default="0",
        comment="entries of the list without an id, counted as failed",
    ),
    Column("rows", Integer, nullable=False, comment="rows of the frame; another number means that it was lost"),
    _now("written_at", "when the frame was stored"),
    schema=PIPELINE,
    comment="what a stored frame stems from",
    # Like the frames: after a crash of the server both are empty, never one without the other.
    prefixes=["UNLOGGED"],
)

_DEVICE = (
    ("intune_device_id", "Intune's id of the device record"),
    ("ownership", "company, or unknown with everything personal left out"),
    ("serial_number", "as shown"),
    ("operating_system", "as shown"),
    ("os_version", "as shown"),
    ("manufacturer", "as shown"),
    ("model", "as shown"),
    ("imei", "as shown"),
    ("azure_ad_device_id", "Entra's id of the device"),
    ("device_name", "as shown"),
    ("management_agent", "as shown"),
    ("management_state", "as shown"),
    ("user_id", "Entra id of the user the list shows"),
    ("user_email", "emailAddress"),
    ("user_principal_name", "userPrincipalName"),
    ("user_display_name", "userDisplayName"),
)


def _device_columns() -> list[Column[Any]]:
    return [
        *(_text(name, comment) for name, comment in _DEVICE),
        Column("storage_bytes", BigInteger, comment="totalStorageSpaceInBytes"),
        _time("enrolled_at", "enrolledDateTime"),
        _time("last_contact_at", "lastSyncDateTime"),
    ]


raw_intune_devices = _frame(
    "raw_intune_devices", "devices as listed by Intune, cleaned; personal devices dropped", *_device_columns()
)
classified_devices = _frame(
    "classified_devices",
    "devices with their type, the rule that decided and whether they are eligible",
    *_device_columns(),
    _text("device_type", "laptop, tablet, mobile, desktop, unknown"),
    _text("rule", "id of the rule that decided the type"),
    _text("rule_reason", "why, in words"),
    Column("users_are_rooms", Boolean, comment="whether its user is a room, a desk or a wall and never an employee"),
    _text("skip_reason", "null for eligible devices"),
)
intune_device_details = _frame(
    "intune_device_details",
    "what single requests told of the eligible devices; the bypass code itself lies encrypted in device_details",
    _text("intune_device_id", "Intune's id of the device record"),
    Column("memory_gb", Integer, comment="GiB, Windows only"),
    Column("has_bypass_code", Boolean, comment="whether a bypass code is stored"),
    _text("freshness", "fetched now, kept, failed or not needed"),
)
employees_frame = _frame(
    "employees",
    "the users of eligible devices and the employee each stands for",
    _text("email", "the address that identifies the user"),
    _text("first_name", "the employee's, else as split from the display name; null when it cannot be split safely"),
    _text("last_name", "likewise"),
    Column("devices", Integer, comment="eligible devices of this user"),
    Column("employee_id", BigInteger, comment="matched employee, null when none"),
    _text("action", "matched, create, held or none"),
    Column("lookalike_id", BigInteger, comment="employee of the same name without a work e-mail"),
)
allwhere_assets = _frame(
    "allwhere_assets",
    "what the sync did for each device",
    _text("intune_device_id", "Intune's id of the device record"),
    _text("serial_number", "as shown"),
    Column("asset_id", BigInteger, comment="the asset, null for skipped devices"),
    _text("outcome", "synced, skipped or failed"),
    _text("reason", "skip reason or failure"),
    _text("action", "create, update, unchanged or held; null for skipped devices"),
)
FRAMES = {
    table.name: table
    for table in (raw_intune_devices, classified_devices, intune_device_details, employees_frame, allwhere_assets)
}
