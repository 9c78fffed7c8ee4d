"""Accounts, their connections to Entra tenants and how a connection came about."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from intune_pipeline.domain.vocabulary import ConnectionStatus, ConnectStep, InvitationStatus
from intune_pipeline.inventory.schema.base import metadata, now, one_of

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
        "plan_first",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="nothing is synced before somebody approved a plan; false again once a sync has done one",
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
    now("created_at", "when the row came"),
    one_of("status", ConnectionStatus),
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
    now("since", "when the account proved it, or an operator moved it"),
    CheckConstraint("tenant_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'", name="tenant_id"),
    Index(None, "account_id"),
    comment="which account a tenant belongs to, also after a disconnect; only an operator moves it",
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
        server_default=InvitationStatus.OPEN,
        comment="open, answered, confirmed, refused, withdrawn; an open one ends by expires_at",
    ),
    Column("expires_at", DateTime(timezone=True), nullable=False, comment="72 hours after it was made"),
    now("created_at", "when"),
    one_of("status", InvitationStatus),
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
    now("created_at", "when"),
    one_of("step", ConnectStep),
    comment="consents under way; each state works once, for 15 minutes",
)
