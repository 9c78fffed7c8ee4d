"""Webhooks of accounts, what was sent to them, and marks that tell which changes a moment has seen."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from intune_pipeline.domain.vocabulary import DeliveryStatus, WebhookEvent, WebhookStatus
from intune_pipeline.inventory.schema.base import metadata, now, one_of

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid, primary_key=True, comment="generated; the secrets are bound to it"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("url", Text, nullable=False, comment="where messages are sent; https"),
    Column("description", Text, nullable=False, server_default="", comment="what it is for, in people's own words"),
    Column("events", ARRAY(Text), nullable=False, comment="what it tells: sync.finished, asset.changed …"),
    Column("status", Text, nullable=False, server_default=WebhookStatus.ON, comment="on, paused, switched_off"),
    Column("status_reason", Text, comment="why it was switched off, one sentence"),
    Column("status_since", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="since when"),
    Column("secret", Text, nullable=False, comment="ciphertext of what messages are signed with"),
    Column("previous_secret", Text, comment="ciphertext of the secret before, which signs too for a day"),
    Column("previous_secret_until", DateTime(timezone=True), comment="how long it does"),
    Column("cursor", Text, nullable=False, comment="how far change_events were made into messages"),
    Column("read_to", BigInteger, nullable=False, comment="transaction from which on there may be more"),
    Column("needs_told", Text, comment="digest of what waits for people as it was told last"),
    Column(
        "needs_looked_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
        comment="when what waits was compared with that",
    ),
    Column("failures", Integer, nullable=False, server_default="0", comment="failures in a row"),
    Column(
        "next_try_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="not before this"
    ),
    Column("claimed_until", DateTime(timezone=True), comment="while a process sends to it"),
    Column("created_by", Text, nullable=False, comment="who made it"),
    now("created_at", "when"),
    one_of("status", WebhookStatus),
    CheckConstraint("url like 'https://%'", name="https"),
    CheckConstraint("secret like 'v1.%' and previous_secret like 'v1.%'", name="secrets_ciphertext"),
    CheckConstraint("failures >= 0", name="failures"),
    Index(None, "account_id"),
    comment="where accounts are told of changes (Standard Webhooks)",
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="the order in which messages are sent"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("webhook_id", ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False, comment="the webhook's row"),
    Column(
        "message_id",
        Uuid,
        nullable=False,
        server_default=text("gen_random_uuid()"),
        comment="the header webhook-id, the same at every try",
    ),
    Column("event", Text, nullable=False, comment="the message's type"),
    Column(
        "event_ids",
        ARRAY(BigInteger),
        nullable=False,
        server_default=text("'{}'"),
        comment="rows of change_events it tells; the message is made of them when it is sent",
    ),
    Column("status", Text, nullable=False, server_default=DeliveryStatus.WAITING, comment="waiting, accepted, refused"),
    Column("asked_by", Text, comment="who asked for it to be sent at once, by a test or a replay"),
    Column(
        "tries",
        JSONB,
        nullable=False,
        server_default=text("'[]'::jsonb"),
        comment="every try: at, status, seconds, problem",
    ),
    now("created_at", "when"),
    Column("accepted_at", DateTime(timezone=True), comment="when the receiver said yes"),
    one_of("event", WebhookEvent),
    one_of("status", DeliveryStatus),
    Index(None, "webhook_id", "id"),
    Index(
        "webhook_deliveries_waiting_idx",
        "webhook_id",
        "id",
        postgresql_where=text(f"status = '{DeliveryStatus.WAITING}'"),
    ),
    comment="messages to webhooks and what became of them; kept for 30 days",
)

feed_marks = Table(
    "feed_marks",
    metadata,
    Column("at", DateTime(timezone=True), primary_key=True, comment="a moment"),
    Column("horizon", BigInteger, nullable=False, comment="every earlier transaction had ended by then"),
    info={"apart_by": None},
    comment="which changes a reader of that moment has seen; written every half minute, kept for 90 days",
)
