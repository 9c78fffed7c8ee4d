"""E-mails to customers' admins: who asked for them, and what each was told."""

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Table, Text, UniqueConstraint

from intune_pipeline.domain.vocabulary import Digest, NeedKind
from intune_pipeline.inventory.schema.base import metadata, now, one_of

mail_subscriptions = Table(
    "mail_subscriptions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("subject", Text, nullable=False, comment="the sign-in provider's id of the person"),
    Column("email", Text, nullable=False, comment="verified by the sign-in provider"),
    Column("digest", Text, nullable=False, comment="daily or weekly, for what is not told at once"),
    Column("unsubscribe_token", Text, nullable=False, unique=True, comment="random; in the link that ends the e-mails"),
    now("created_at", "when the person asked for e-mails"),
    Column("digest_at", DateTime(timezone=True), nullable=False, comment="when the last digest was due, or the start"),
    one_of("digest", Digest),
    UniqueConstraint("account_id", "subject"),
    comment="admins who chose to be told by e-mail; nobody else is",
)

mails_told = Table(
    "mails_told",
    metadata,
    Column(
        "subscription_id",
        ForeignKey("mail_subscriptions.id", ondelete="CASCADE"),
        primary_key=True,
        comment="the person's row",
    ),
    Column("kind", Text, primary_key=True, comment="what they were told of"),
    Column("account_id", BigInteger, nullable=False, comment="the account's row"),
    now("told_at", "when"),
    one_of("kind", NeedKind),
    comment="what each person was told of by e-mail; forgotten when it is over, so that it is told anew",
)
