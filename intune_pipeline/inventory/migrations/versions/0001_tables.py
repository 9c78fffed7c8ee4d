"""The first tables: accounts, connections, employees, assets, their history, the sync log, the pipeline's frames.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything in an empty database. There is no way back but a backup."""
    op.execute("create schema if not exists pipeline")
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("slug", sa.Text(), nullable=False, comment="name on the command line and Dagster partition key"),
        sa.Column("name", sa.Text(), server_default="", nullable=False, comment="the customer's name, for people"),
        sa.CheckConstraint(
            "slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' and length(slug) <= 63", name=op.f("accounts_slug_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_pkey")),
        sa.UniqueConstraint("slug", name=op.f("accounts_slug_key")),
        comment="allwhere's customers",
    )
    op.create_table(
        "allwhere_assets",
        sa.Column("partition_key", sa.Text(), nullable=False, comment="the account's slug"),
        sa.Column("intune_device_id", sa.Text(), nullable=True, comment="Intune's id of the device record"),
        sa.Column("serial_number", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("asset_id", sa.BigInteger(), nullable=True, comment="the asset, null for skipped devices"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="synced, skipped or failed"),
        sa.Column("reason", sa.Text(), nullable=True, comment="skip reason or failure"),
        sa.Column(
            "action", sa.Text(), nullable=True, comment="create, update, unchanged or held; null for skipped devices"
        ),
        schema="pipeline",
        comment="what the sync did for each device",
        prefixes=["UNLOGGED"],
    )
    op.create_index(
        op.f("allwhere_assets_partition_key_idx"), "allwhere_assets", ["partition_key"], unique=False, schema="pipeline"
    )
    op.create_table(
        "classified_devices",
        sa.Column("partition_key", sa.Text(), nullable=False, comment="the account's slug"),
        sa.Column("intune_device_id", sa.Text(), nullable=True, comment="Intune's id of the device record"),
        sa.Column(
            "ownership", sa.Text(), nullable=True, comment="company, or unknown with everything personal left out"
        ),
        sa.Column("serial_number", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("operating_system", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("os_version", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("manufacturer", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("model", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("imei", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("azure_ad_device_id", sa.Text(), nullable=True, comment="Entra's id of the device"),
        sa.Column("device_name", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("management_agent", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("management_state", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("user_id", sa.Text(), nullable=True, comment="Entra id of the user the list shows"),
        sa.Column("user_email", sa.Text(), nullable=True, comment="emailAddress"),
        sa.Column("user_principal_name", sa.Text(), nullable=True, comment="userPrincipalName"),
        sa.Column("user_display_name", sa.Text(), nullable=True, comment="userDisplayName"),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=True, comment="totalStorageSpaceInBytes"),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=True, comment="enrolledDateTime"),
        sa.Column("last_contact_at", sa.DateTime(timezone=True), nullable=True, comment="lastSyncDateTime"),
        sa.Column("device_type", sa.Text(), nullable=True, comment="laptop, tablet, mobile, desktop, unknown"),
        sa.Column("rule", sa.Text(), nullable=True, comment="id of the rule that decided the type"),
        sa.Column("rule_reason", sa.Text(), nullable=True, comment="why, in words"),
        sa.Column("skip_reason", sa.Text(), nullable=True, comment="null for eligible devices"),
        schema="pipeline",
        comment="devices with their type, the rule that decided and whether they are eligible",
        prefixes=["UNLOGGED"],
    )
    op.create_index(
        op.f("classified_devices_partition_key_idx"),
        "classified_devices",
        ["partition_key"],
        unique=False,
        schema="pipeline",
    )
    op.create_table(
        "employees",
        sa.Column("partition_key", sa.Text(), nullable=False, comment="the account's slug"),
        sa.Column("email", sa.Text(), nullable=True, comment="the address that identifies the user"),
        sa.Column(
            "first_name",
            sa.Text(),
            nullable=True,
            comment="the employee's, else as split from the display name; null when it cannot be split safely",
        ),
        sa.Column("last_name", sa.Text(), nullable=True, comment="likewise"),
        sa.Column("devices", sa.Integer(), nullable=True, comment="eligible devices of this user"),
        sa.Column("employee_id", sa.BigInteger(), nullable=True, comment="matched employee, null when none"),
        sa.Column("action", sa.Text(), nullable=True, comment="matched, create, held or none"),
        sa.Column(
            "lookalike_id", sa.BigInteger(), nullable=True, comment="employee of the same name without a work e-mail"
        ),
        schema="pipeline",
        comment="the users of eligible devices and the employee each stands for",
        prefixes=["UNLOGGED"],
    )
    op.create_index(
        op.f("employees_partition_key_idx"), "employees", ["partition_key"], unique=False, schema="pipeline"
    )
    op.create_table(
        "intune_device_details",
        sa.Column("partition_key", sa.Text(), nullable=False, comment="the account's slug"),
        sa.Column("intune_device_id", sa.Text(), nullable=True, comment="Intune's id of the device record"),
        sa.Column("memory_gb", sa.Integer(), nullable=True, comment="GiB, Windows only"),
        sa.Column("has_bypass_code", sa.Boolean(), nullable=True, comment="whether a bypass code is stored"),
        sa.Column("freshness", sa.Text(), nullable=True, comment="fetched now, kept, failed or not needed"),
        schema="pipeline",
        comment="what single requests told of the eligible devices; the bypass code itself lies encrypted in device_details",
        prefixes=["UNLOGGED"],
    )
    op.create_index(
        op.f("intune_device_details_partition_key_idx"),
        "intune_device_details",
        ["partition_key"],
        unique=False,
        schema="pipeline",
    )
    op.create_table(
        "raw_intune_devices",
        sa.Column("partition_key", sa.Text(), nullable=False, comment="the account's slug"),
        sa.Column("intune_device_id", sa.Text(), nullable=True, comment="Intune's id of the device record"),
        sa.Column(
            "ownership", sa.Text(), nullable=True, comment="company, or unknown with everything personal left out"
        ),
        sa.Column("serial_number", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("operating_system", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("os_version", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("manufacturer", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("model", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("imei", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("azure_ad_device_id", sa.Text(), nullable=True, comment="Entra's id of the device"),
        sa.Column("device_name", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("management_agent", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("management_state", sa.Text(), nullable=True, comment="as shown"),
        sa.Column("user_id", sa.Text(), nullable=True, comment="Entra id of the user the list shows"),
        sa.Column("user_email", sa.Text(), nullable=True, comment="emailAddress"),
        sa.Column("user_principal_name", sa.Text(), nullable=True, comment="userPrincipalName"),
        sa.Column("user_display_name", sa.Text(), nullable=True, comment="userDisplayName"),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=True, comment="totalStorageSpaceInBytes"),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=True, comment="enrolledDateTime"),
        sa.Column("last_contact_at", sa.DateTime(timezone=True), nullable=True, comment="lastSyncDateTime"),
        schema="pipeline",
        comment="devices as listed by Intune, cleaned; personal devices dropped",
        prefixes=["UNLOGGED"],
    )
    op.create_index(
        op.f("raw_intune_devices_partition_key_idx"),
        "raw_intune_devices",
        ["partition_key"],
        unique=False,
        schema="pipeline",
    )
    op.create_table(
        "snapshots",
        sa.Column("asset", sa.Text(), nullable=False, comment="the Dagster asset"),
        sa.Column("partition_key", sa.Text(), nullable=False, comment="the account's slug"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="the Entra tenant that was listed"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="Dagster run that wrote the frame"),
        sa.Column("listing_id", sa.Text(), nullable=False, comment="the listing all frames of one run stem from"),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False, comment="when the listing began"),
        sa.Column("complete", sa.Boolean(), nullable=False, comment="false for a capped list, which proves no absence"),
        sa.Column(
            "devices_listed", sa.Integer(), nullable=False, comment="devices in the list, personal ones included"
        ),
        sa.Column("personal", sa.Integer(), nullable=False, comment="personal devices, counted and dropped"),
        sa.Column(
            "rows", sa.Integer(), nullable=False, comment="rows of the frame; another number means that it was lost"
        ),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the frame was stored",
        ),
        sa.PrimaryKeyConstraint("asset", "partition_key", name=op.f("snapshots_pkey")),
        schema="pipeline",
        comment="what a stored frame stems from",
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "account_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("position", sa.Integer(), nullable=False, comment="rules are tried in this order"),
        sa.Column(
            "maker_pattern",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="RE2 searched for in the maker, case ignored; empty matches all",
        ),
        sa.Column("model_pattern", sa.Text(), nullable=False, comment="RE2 searched for in the model, case ignored"),
        sa.Column("device_type", sa.Text(), nullable=False, comment="what such devices are"),
        sa.Column("note", sa.Text(), server_default="", nullable=False, comment="why, shown wherever the rule decides"),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False, comment="who added it"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.CheckConstraint(
            "device_type in ('laptop', 'tablet', 'mobile', 'desktop', 'unknown')",
            name=op.f("account_rules_device_type_check"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("account_rules_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("account_rules_pkey")),
        sa.UniqueConstraint(
            "account_id",
            "position",
            deferrable=True,
            initially="DEFERRED",
            name=op.f("account_rules_account_id_position_key"),
        ),
        comment="an account's own classification rules, tried before the catalogue",
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column(
            "actor", sa.Text(), nullable=False, comment="who: a portal user, or operator:NAME on the command line"
        ),
        sa.Column(
            "action", sa.Text(), nullable=False, comment="connect, disconnect, settings, release, reveal, rule …"
        ),
        sa.Column(
            "subject",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="what it was done to: a tenant, an e-mail, a serial number, a rule",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="in the actor's own words"),
        sa.Column("details", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False, comment="what changed"),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("audit_log_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_log_pkey")),
        comment="connects, changes, releases, reveals",
    )
    op.create_index(op.f("audit_log_account_id_at_idx"), "audit_log", ["account_id", "at"], unique=False)
    op.create_table(
        "connect_attempts",
        sa.Column("state_hash", sa.Text(), nullable=False, comment="SHA-256 of the one-time state"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column(
            "session_hash", sa.Text(), nullable=False, comment="SHA-256 of the browser session the state is bound to"
        ),
        sa.Column("requested_by", sa.Text(), nullable=False, comment="who connects"),
        sa.Column("step", sa.Text(), nullable=False, comment="consent, then sign_in"),
        sa.Column(
            "tenant_id", sa.Text(), nullable=True, comment="claimed by the consent redirect; proven only by the sign-in"
        ),
        sa.Column("secrets", sa.Text(), nullable=True, comment="nonce and PKCE verifier of the sign-in, sealed"),
        sa.Column(
            "choices",
            JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="what was ticked on the connect page",
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="15 minutes after it began"),
        sa.Column(
            "used_at", sa.DateTime(timezone=True), nullable=True, comment="when the state came back; it works once"
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.CheckConstraint("step in ('consent', 'sign_in')", name=op.f("connect_attempts_step_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("connect_attempts_account_id_fkey")),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("connect_attempts_pkey")),
        comment="consents under way; each state works once, for 15 minutes",
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column(
            "tenant_id",
            sa.Text(),
            nullable=True,
            comment="Entra tenant GUID, lower case; null until the tenant is proven",
        ),
        sa.Column(
            "status",
            sa.Text(),
            server_default="pending",
            nullable=False,
            comment="how the link is doing; status_cause and status_message say why",
        ),
        sa.Column(
            "status_cause",
            sa.Text(),
            nullable=True,
            comment="cause of microsoft.causes that set the status, null when all is well",
        ),
        sa.Column("status_message", sa.Text(), nullable=True, comment="one sentence: what happened and what to do"),
        sa.Column(
            "mdm_assignee_updates",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment='"Allow MDM to update allwhere assignee"',
        ),
        sa.Column(
            "hold_lookalike_employees",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="hold new employees who share a name with one without a work e-mail, until somebody decides",
        ),
        sa.Column(
            "assignee_confirmations",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="consecutive syncs that must show the same new user before the assignee changes",
        ),
        sa.Column(
            "enrolment_manager_devices",
            sa.Integer(),
            server_default="10",
            nullable=False,
            comment="a user of more devices than this is an enrolment manager and never becomes an assignee by a change",
        ),
        sa.Column(
            "absent_lists",
            sa.Integer(),
            server_default="2",
            nullable=False,
            comment="complete lists a device must be missing from before it can count as gone",
        ),
        sa.Column(
            "absent_hours",
            sa.Integer(),
            server_default="20",
            nullable=False,
            comment="hours between those lists at least",
        ),
        sa.Column(
            "lifecycle_max_share",
            sa.Double(),
            server_default="0.1",
            nullable=False,
            comment="share of the synced devices that may end in one run before all are held",
        ),
        sa.Column(
            "lifecycle_max_devices",
            sa.Integer(),
            server_default="50",
            nullable=False,
            comment="number of devices that may end in one run before all are held",
        ),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True, comment="when the link first worked"),
        sa.Column(
            "disconnected_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was ended, null while it lives",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row came",
        ),
        sa.CheckConstraint(
            "status in ('pending', 'verifying', 'connected', 'needs_consent', 'error', 'disconnected')",
            name=op.f("connections_status_check"),
        ),
        sa.CheckConstraint(
            "status not in ('connected', 'needs_consent') or tenant_id is not null",
            name=op.f("connections_connected_tenant_check"),
        ),
        sa.CheckConstraint(
            "tenant_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'", name=op.f("connections_tenant_id_check")
        ),
        sa.CheckConstraint(
            "assignee_confirmations >= 1 and enrolment_manager_devices >= 1 and absent_lists >= 1 and absent_hours >= 0 and lifecycle_max_share between 0 and 1 and lifecycle_max_devices >= 0",
            name=op.f("connections_settings_check"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("connections_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("connections_pkey")),
        sa.UniqueConstraint("account_id", name=op.f("connections_account_id_key")),
        comment="an account's link to its Microsoft Intune tenant, with the settings of its sync",
    )
    op.create_index(
        "connections_tenant_id_key",
        "connections",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("status != 'disconnected'"),
    )
    op.create_table(
        "employees",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("first_name", sa.Text(), nullable=False, comment="the person's first name"),
        sa.Column("last_name", sa.Text(), nullable=False, comment="the person's last name"),
        sa.Column(
            "sync_run_id",
            sa.BigInteger(),
            nullable=True,
            comment="the sync run that created the employee, null for people's own entries",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row came",
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("employees_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("employees_pkey")),
        sa.UniqueConstraint("id", "account_id", name=op.f("employees_id_account_id_key")),
        comment="people who can hold an asset",
    )
    op.create_index(op.f("employees_account_id_idx"), "employees", ["account_id"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("connection_id", sa.BigInteger(), nullable=True, comment="null for what concerns every tenant"),
        sa.Column(
            "cause", sa.Text(), nullable=False, comment="a cause of microsoft.causes, or late, failed, lifecycle_hold …"
        ),
        sa.Column("message", sa.Text(), nullable=False, comment="one sentence: what happened and what to do"),
        sa.Column(
            "raised_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was first seen",
        ),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True, comment="when people were told; null: not yet"),
        sa.Column(
            "cleared_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was over; the same cause then is a new alert",
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("alerts_connection_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("alerts_pkey")),
        comment="what operators are told, one message per cause and tenant until it clears",
    )
    op.create_index(
        "alerts_open_key",
        "alerts",
        ["cause", sa.literal_column("coalesce(connection_id, 0)")],
        unique=True,
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("serial_number", sa.Text(), nullable=False, comment="as Intune or a person wrote it"),
        sa.Column(
            "serial_key",
            sa.Text(),
            sa.Computed(
                "nullif(upper(regexp_replace(serial_number, '[\\u0009\\u000a\\u000b\\u000c\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200b\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]+', '', 'g') collate \"C\"), '')",
                persisted=True,
            ),
            nullable=False,
            comment="compared form: no spaces, upper case",
        ),
        sa.Column(
            "asset_type", sa.Text(), nullable=True, comment="laptop, tablet, mobile …; set at creation, then allwhere's"
        ),
        sa.Column("name", sa.Text(), nullable=True, comment="a person's, never touched by a sync"),
        sa.Column(
            "status",
            sa.Text(),
            server_default="in_inventory",
            nullable=False,
            comment="what the customer does with it; a sync changes it only where the connection allows",
        ),
        sa.Column("condition", sa.Text(), nullable=True, comment="a person's, never touched by a sync"),
        sa.Column("location", sa.Text(), nullable=True, comment="a person's, never touched by a sync"),
        sa.Column("notes", sa.Text(), nullable=True, comment="a person's, never touched by a sync"),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True, comment="who holds it"),
        sa.Column("color", sa.Text(), nullable=True, comment="colour"),
        sa.Column("display_size", sa.Text(), nullable=True, comment="inches"),
        sa.Column("imei", sa.Text(), nullable=True, comment="IMEI"),
        sa.Column("make", sa.Text(), nullable=True, comment="maker"),
        sa.Column("model", sa.Text(), nullable=True, comment="model"),
        sa.Column("memory_gb", sa.Integer(), nullable=True, comment="GiB"),
        sa.Column("storage_gb", sa.Integer(), nullable=True, comment="GB as sold"),
        sa.Column("storage_type", sa.Text(), nullable=True, comment="SSD, HDD …"),
        sa.Column("operating_system", sa.Text(), nullable=True, comment="operating system"),
        sa.Column("os_version", sa.Text(), nullable=True, comment="its version"),
        sa.Column("release_date", sa.Text(), nullable=True, comment="a year, or a date, as far as it is known"),
        sa.Column("intune_device_id", sa.Text(), nullable=True, comment="Intune's id of the newest device record"),
        sa.Column("azure_ad_device_id", sa.Text(), nullable=True, comment="Entra's id of the device"),
        sa.Column(
            "activation_lock_bypass_code", sa.Text(), nullable=True, comment="ciphertext (Fernet), never plaintext"
        ),
        sa.Column(
            "sync_run_id",
            sa.BigInteger(),
            nullable=True,
            comment="the sync run that created the asset, null for people's own entries",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row came",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when a field last changed; a sync that changes nothing leaves it",
        ),
        sa.CheckConstraint(
            "activation_lock_bypass_code like 'gAAAA%'", name=op.f("assets_bypass_code_ciphertext_check")
        ),
        sa.CheckConstraint(
            "status in ('allocated', 'transferred', 'in_inventory', 'pending_allocation', 'processing', 'locked', 'retired', 'disposed', 'lost')",
            name=op.f("assets_status_check"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("assets_account_id_fkey")),
        sa.ForeignKeyConstraint(
            ["assignee_id", "account_id"],
            ["employees.id", "employees.account_id"],
            name=op.f("assets_assignee_id_account_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("assets_pkey")),
        sa.UniqueConstraint("account_id", "serial_key", name=op.f("assets_account_id_serial_key_key")),
        comment="what a customer owns, one row per serial number",
    )
    op.create_index(op.f("assets_assignee_id_idx"), "assets", ["assignee_id"], unique=False)
    op.create_table(
        "device_details",
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column("intune_device_id", sa.Text(), nullable=False, comment="Intune's id of the device record"),
        sa.Column("memory_gb", sa.Integer(), nullable=True, comment="GiB"),
        sa.Column("bypass_code", sa.Text(), nullable=True, comment="ciphertext (Fernet), never plaintext"),
        sa.Column(
            "refreshed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="last complete answer; null when none came yet",
        ),
        sa.Column(
            "failure", sa.Text(), nullable=True, comment="why the last attempt gave nothing; retried at the next run"
        ),
        sa.CheckConstraint("bypass_code like 'gAAAA%'", name=op.f("device_details_bypass_code_ciphertext_check")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("device_details_connection_id_fkey")),
        sa.PrimaryKeyConstraint("connection_id", "intune_device_id", name=op.f("device_details_pkey")),
        comment="what only a single request per device tells",
    )
    op.create_table(
        "employee_emails",
        sa.Column("employee_id", sa.BigInteger(), nullable=False, comment="the employee's row"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("email", sa.Text(), nullable=False, comment="as entered"),
        sa.Column("kind", sa.Text(), server_default="work", nullable=False, comment="work or personal; both match"),
        sa.Column(
            "email_key",
            sa.Text(),
            sa.Computed("lower(btrim(email))", persisted=True),
            nullable=False,
            comment="compared form: trimmed, lower case",
        ),
        sa.CheckConstraint("kind in ('work', 'personal')", name=op.f("employee_emails_kind_check")),
        sa.ForeignKeyConstraint(
            ["employee_id", "account_id"],
            ["employees.id", "employees.account_id"],
            name=op.f("employee_emails_employee_id_account_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "email_key", name=op.f("employee_emails_pkey")),
        comment="e-mail addresses of employees; each once per account, compared without case",
    )
    op.create_index(op.f("employee_emails_employee_id_idx"), "employee_emails", ["employee_id"], unique=False)
    op.create_table(
        "employee_holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column("email", sa.Text(), nullable=False, comment="work e-mail of the person"),
        sa.Column(
            "email_key",
            sa.Text(),
            sa.Computed("lower(btrim(email))", persisted=True),
            nullable=True,
            comment="compared form: trimmed, lower case",
        ),
        sa.Column("first_name", sa.Text(), nullable=False, comment="as it would be stored"),
        sa.Column("last_name", sa.Text(), nullable=False, comment="as it would be stored"),
        sa.Column("lookalike_id", sa.BigInteger(), nullable=True, comment="the employee of the same name"),
        sa.Column(
            "decision", sa.Text(), server_default="waiting", nullable=False, comment="waiting, created, linked, skipped"
        ),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="who decided, null while waiting"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True, comment="when, null while waiting"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the sync held the employee back",
        ),
        sa.CheckConstraint(
            "decision in ('waiting', 'created', 'linked', 'skipped')", name=op.f("employee_holds_decision_check")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("employee_holds_connection_id_fkey")),
        sa.ForeignKeyConstraint(
            ["lookalike_id"], ["employees.id"], name=op.f("employee_holds_lookalike_id_fkey"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("employee_holds_pkey")),
        sa.UniqueConstraint("connection_id", "email_key", name=op.f("employee_holds_connection_id_email_key_key")),
        comment="employees a sync would create beside one of the same name without a work e-mail, waiting for a decision",
    )
    op.create_table(
        "sync_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column("trigger", sa.Text(), nullable=False, comment="what started it: initial, schedule, manual, operator"),
        sa.Column("status", sa.Text(), server_default="running", nullable=False, comment="running, succeeded, failed"),
        sa.Column(
            "phase", sa.Text(), server_default="starting", nullable=False, comment="listing, details, reconciling, done"
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the run began",
        ),
        sa.Column(
            "progress_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row last changed",
        ),
        sa.Column(
            "finished_at", sa.DateTime(timezone=True), nullable=True, comment="when it ended, null while it runs"
        ),
        sa.Column("dagster_run_id", sa.Text(), nullable=True, comment="Dagster's run"),
        sa.Column(
            "list_complete",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="a capped or failed list proves no absence",
        ),
        sa.Column(
            "devices_listed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="devices in the list, personal ones included",
        ),
        sa.Column(
            "devices_synced", sa.Integer(), server_default="0", nullable=False, comment="devices that have an asset now"
        ),
        sa.Column(
            "devices_skipped",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="devices left out, personal ones included",
        ),
        sa.Column(
            "devices_failed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="devices whose batch was refused; the next sync tries again",
        ),
        sa.Column(
            "skipped_by_reason",
            JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="devices left out, by reason",
        ),
        sa.Column(
            "devices_read", sa.Integer(), server_default="0", nullable=False, comment="progress: read from Graph so far"
        ),
        sa.Column("devices_classified", sa.Integer(), server_default="0", nullable=False, comment="progress"),
        sa.Column("devices_reconciled", sa.Integer(), server_default="0", nullable=False, comment="progress"),
        sa.Column("assets_created", sa.Integer(), server_default="0", nullable=False, comment="new assets"),
        sa.Column(
            "assets_updated",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="assets of which a field changed",
        ),
        sa.Column(
            "assets_unchanged",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="assets of which nothing changed",
        ),
        sa.Column("employees_created", sa.Integer(), server_default="0", nullable=False, comment="new employees"),
        sa.Column(
            "assignees_changed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="existing assets with a new assignee",
        ),
        sa.Column(
            "lifecycle_transitions",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="assets whose device is gone and that became transferred",
        ),
        sa.Column(
            "lifecycle_held",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="devices whose end waits for a decision",
        ),
        sa.Column(
            "lookalikes_held",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="employees that wait for a decision",
        ),
        sa.Column(
            "requests",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="requests to Graph, batch items included",
        ),
        sa.Column("throttled", sa.Integer(), server_default="0", nullable=False, comment="of these answered 429"),
        sa.Column("cause", sa.Text(), nullable=True, comment="cause of microsoft.causes when the run failed"),
        sa.Column("error", sa.Text(), nullable=True, comment="one sentence for people when the run failed"),
        sa.CheckConstraint("(status = 'running') = (finished_at is null)", name=op.f("sync_runs_finished_at_check")),
        sa.CheckConstraint(
            "status <> 'succeeded' or devices_listed = devices_synced + devices_skipped + devices_failed",
            name=op.f("sync_runs_counts_check"),
        ),
        sa.CheckConstraint("status in ('running', 'succeeded', 'failed')", name=op.f("sync_runs_status_check")),
        sa.CheckConstraint(
            "trigger in ('initial', 'schedule', 'manual', 'operator')", name=op.f("sync_runs_trigger_check")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("sync_runs_connection_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sync_runs_pkey")),
        sa.UniqueConstraint("dagster_run_id", name=op.f("sync_runs_dagster_run_id_key")),
        comment="every sync of a connection, its counts and its end",
    )
    op.create_index(
        op.f("sync_runs_connection_id_started_at_idx"), "sync_runs", ["connection_id", "started_at"], unique=False
    )
    op.create_index(
        "sync_runs_last_good_idx",
        "sync_runs",
        ["connection_id", "finished_at"],
        unique=False,
        postgresql_where=sa.text("status = 'succeeded'"),
    )
    op.create_index(
        "sync_runs_running_idx",
        "sync_runs",
        ["connection_id"],
        unique=False,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "asset_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("asset_id", sa.BigInteger(), nullable=False, comment="the asset's row"),
        sa.Column("sync_run_id", sa.BigInteger(), nullable=True, comment="the sync that changed it"),
        sa.Column("field", sa.Text(), nullable=False, comment="column of assets"),
        sa.Column("old_value", sa.Text(), nullable=True, comment="always null for the bypass code"),
        sa.Column("new_value", sa.Text(), nullable=True, comment="always null for the bypass code"),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=True,
            comment="a sentence where the change needs one: assignee changes, lifecycle ends",
        ),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("asset_changes_asset_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sync_run_id"], ["sync_runs.id"], name=op.f("asset_changes_sync_run_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("asset_changes_pkey")),
        comment="every field of an existing asset that a sync changed",
    )
    op.create_index(
        op.f("asset_changes_asset_id_changed_at_idx"), "asset_changes", ["asset_id", "changed_at"], unique=False
    )
    op.create_index(op.f("asset_changes_sync_run_id_idx"), "asset_changes", ["sync_run_id"], unique=False)
    op.create_table(
        "device_outcomes",
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column("intune_device_id", sa.Text(), nullable=False, comment="Intune's id of the device record"),
        sa.Column("serial_number", sa.Text(), nullable=True, comment="as Intune shows it"),
        sa.Column(
            "serial_key",
            sa.Text(),
            sa.Computed(
                "nullif(upper(regexp_replace(serial_number, '[\\u0009\\u000a\\u000b\\u000c\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200b\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]+', '', 'g') collate \"C\"), '')",
                persisted=True,
            ),
            nullable=True,
            comment="compared form, as in assets",
        ),
        sa.Column("outcome", sa.Text(), nullable=False, comment="synced, skipped or failed"),
        sa.Column("reason", sa.Text(), nullable=True, comment="skip reason, or the sentence of a failure"),
        sa.Column("device_type", sa.Text(), nullable=True, comment="laptop, tablet, mobile, desktop, unknown"),
        sa.Column("rule", sa.Text(), nullable=True, comment="id of the classification rule that decided the type"),
        sa.Column("rule_reason", sa.Text(), nullable=True, comment="why it decided so, in words"),
        sa.Column("manufacturer", sa.Text(), nullable=True, comment="as Intune shows it"),
        sa.Column("model", sa.Text(), nullable=True, comment="as Intune shows it"),
        sa.Column("operating_system", sa.Text(), nullable=True, comment="as Intune shows it"),
        sa.Column("device_name", sa.Text(), nullable=True, comment="as Intune shows it"),
        sa.Column("last_contact_at", sa.DateTime(timezone=True), nullable=True, comment="Intune's lastSyncDateTime"),
        sa.Column(
            "asset_id", sa.BigInteger(), nullable=True, comment="the asset it stands for, null when there is none"
        ),
        sa.Column("sync_run_id", sa.BigInteger(), nullable=True, comment="the run that last saw the device"),
        sa.Column(
            "first_synced_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="null until the device was synced once",
        ),
        sa.Column("last_synced_at", sa.DateTime(timezone=True), nullable=True, comment="last sync that synced it"),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="first list that held the device",
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="last list that held the device",
        ),
        sa.Column(
            "absent_lists",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="complete lists in a row without it",
        ),
        sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True, comment="the first of these lists"),
        sa.Column(
            "candidate_user",
            sa.Text(),
            nullable=True,
            comment="user seen instead of the assignee, waiting for confirmation",
        ),
        sa.Column(
            "candidate_syncs",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="consecutive syncs that showed it",
        ),
        sa.Column(
            "ended_at", sa.DateTime(timezone=True), nullable=True, comment="when the device was found gone from Intune"
        ),
        sa.CheckConstraint("outcome in ('synced', 'skipped', 'failed')", name=op.f("device_outcomes_outcome_check")),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("device_outcomes_asset_id_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("device_outcomes_connection_id_fkey")),
        sa.PrimaryKeyConstraint("connection_id", "intune_device_id", name=op.f("device_outcomes_pkey")),
        comment="every device ever seen and what became of it; personal devices have no row",
    )
    # Every sync writes every row; room in its page keeps the indexes out of that.
    op.execute("alter table device_outcomes set (fillfactor = 50)")
    op.create_index(op.f("device_outcomes_asset_id_idx"), "device_outcomes", ["asset_id"], unique=False)
    op.create_index(
        op.f("device_outcomes_connection_id_serial_key_idx"),
        "device_outcomes",
        ["connection_id", "serial_key"],
        unique=False,
    )
    op.create_table(
        "held_assignments",
        sa.Column("employee_hold_id", sa.BigInteger(), nullable=False, comment="the held employee"),
        sa.Column("asset_id", sa.BigInteger(), nullable=False, comment="the asset that waits for them"),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("held_assignments_asset_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["employee_hold_id"],
            ["employee_holds.id"],
            name=op.f("held_assignments_employee_hold_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("employee_hold_id", "asset_id", name=op.f("held_assignments_pkey")),
        comment="assets that get the held employee as assignee once decided, unless a person assigned someone meanwhile",
    )
    op.create_table(
        "lifecycle_holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column("sync_run_id", sa.BigInteger(), nullable=True, comment="the sync that held them"),
        sa.Column("intune_device_ids", JSONB(), nullable=False, comment="the devices that would have ended"),
        sa.Column("reason", sa.Text(), nullable=False, comment="one sentence: what was exceeded"),
        sa.Column(
            "decision", sa.Text(), server_default="waiting", nullable=False, comment="waiting, released, dropped"
        ),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="who decided, null while waiting"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True, comment="when, null while waiting"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the run held them",
        ),
        sa.CheckConstraint(
            "decision in ('waiting', 'released', 'dropped')", name=op.f("lifecycle_holds_decision_check")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("lifecycle_holds_connection_id_fkey")),
        sa.ForeignKeyConstraint(["sync_run_id"], ["sync_runs.id"], name=op.f("lifecycle_holds_sync_run_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("lifecycle_holds_pkey")),
        comment="lifecycle ends held back because there were too many at once",
    )
    op.create_index(
        "lifecycle_holds_waiting_key",
        "lifecycle_holds",
        ["connection_id"],
        unique=True,
        postgresql_where=sa.text("decision = 'waiting'"),
    )
    op.create_table(
        "sync_requests",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="run key of its Dagster run",
        ),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column(
            "trigger",
            sa.Text(),
            server_default="manual",
            nullable=False,
            comment="initial for the first sync after connecting, else manual",
        ),
        sa.Column("requested_by", sa.Text(), server_default="", nullable=False, comment="who asked"),
        sa.Column(
            "requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.Column(
            "status",
            sa.Text(),
            server_default="pending",
            nullable=False,
            comment="pending, started (a run was asked for), succeeded, failed",
        ),
        sa.Column(
            "sync_run_id", sa.BigInteger(), nullable=True, comment="the run that serves it, its own or one it joined"
        ),
        sa.Column(
            "finished_at", sa.DateTime(timezone=True), nullable=True, comment="when the sync that serves it ended"
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="one sentence when it failed"),
        sa.CheckConstraint(
            "status in ('pending', 'started', 'succeeded', 'failed')", name=op.f("sync_requests_status_check")
        ),
        sa.CheckConstraint(
            "trigger in ('initial', 'schedule', 'manual', 'operator')", name=op.f("sync_requests_trigger_check")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("sync_requests_connection_id_fkey")),
        sa.ForeignKeyConstraint(["sync_run_id"], ["sync_runs.id"], name=op.f("sync_requests_sync_run_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sync_requests_pkey")),
        comment="asks for a sync: Sync Now, the first sync after connecting, operators",
    )
    op.create_index(
        op.f("sync_requests_connection_id_requested_at_idx"),
        "sync_requests",
        ["connection_id", "requested_at"],
        unique=False,
    )
    op.create_index(
        "sync_requests_open_key",
        "sync_requests",
        ["connection_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'started')"),
    )
    op.create_table(
        "unknown_models",
        sa.Column("sync_run_id", sa.BigInteger(), nullable=False, comment="the sync that saw them"),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column(
            "operating_system", sa.Text(), nullable=False, comment="as Intune shows it, empty when it shows none"
        ),
        sa.Column("manufacturer", sa.Text(), nullable=False, comment="likewise"),
        sa.Column("model", sa.Text(), nullable=False, comment="likewise"),
        sa.Column("devices", sa.Integer(), nullable=False, comment="how many"),
        sa.Column("example_serial_number", sa.Text(), nullable=True, comment="serial number of one of them"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("unknown_models_connection_id_fkey")),
        sa.ForeignKeyConstraint(
            ["sync_run_id"], ["sync_runs.id"], name=op.f("unknown_models_sync_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "sync_run_id", "operating_system", "manufacturer", "model", name=op.f("unknown_models_pkey")
        ),
        comment="what a run could not classify, so that an operator sees what to teach next",
    )
    op.create_index(op.f("unknown_models_connection_id_idx"), "unknown_models", ["connection_id"], unique=False)
