"""The portal's sessions, forms and limits, and the audit log."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.domain.vocabulary import Role
from intune_pipeline.inventory.schema.base import metadata, now, one_of

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
    now("at", "when"),
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
    one_of("role", Role),
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
