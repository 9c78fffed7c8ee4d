"""Who of a customer's admins is told by e-mail, and what each was told.

Belongs here: the tables ``mail_subscriptions`` and ``mails_told``. Does not belong here: what is due and its words
(``domain.mails``) and sending (``orchestration.sync.mails``).
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from intune_pipeline.domain.vocabulary import Digest, NeedKind
from intune_pipeline.inventory.schema import mail_subscriptions, mails_told

_OF_PERSON = sa.and_(
    mail_subscriptions.c.account_id == sa.bindparam("of_account"),
    mail_subscriptions.c.subject == sa.bindparam("of_subject"),
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """An admin who is told by e-mail.

    Attributes:
        id: its number.
        account_id: the account they are told of.
        email: where to.
        digest: how often, for what is not told at once.
        digest_at: when the last digest was due.
        token: what ends it, in the link of every e-mail.
        told: what they were told of and is not over.
    """

    id: int
    account_id: int
    email: str = field(repr=False)
    digest: Digest
    digest_at: datetime
    token: str = field(repr=False)
    told: frozenset[NeedKind]


def chosen(db: Connection, account_id: int, subject: str) -> Digest | None:
    """What a person chose; None: no e-mails, as at the beginning."""
    query = sa.select(mail_subscriptions.c.digest).where(_OF_PERSON)
    found = db.scalar(query, {"of_account": account_id, "of_subject": subject})
    return None if found is None else Digest(found)


def choose(db: Connection, account_id: int, subject: str, email: str, digest: Digest | None, now: datetime) -> None:
    """Note what a person chose; None ends their e-mails.

    Args:
        db: a connection in a transaction.
        account_id: the account to be told of.
        subject: the sign-in provider's id of the person.
        email: verified by the provider.
        digest: how often.
        now: the present moment; what was due before is not told as a digest.
    """
    if digest is None:
        db.execute(sa.delete(mail_subscriptions).where(_OF_PERSON), {"of_account": account_id, "of_subject": subject})
        return
    new = insert(mail_subscriptions).values(
        account_id=account_id,
        subject=subject,
        email=email,
        digest=digest,
        unsubscribe_token=secrets.token_urlsafe(32),
        digest_at=now,
    )
    given = {"email": new.excluded.email, "digest": new.excluded.digest}
    db.execute(new.on_conflict_do_update(index_elements=["account_id", "subject"], set_=given))


def signed_in(db: Connection, account_id: int, subject: str, email: str, *, is_admin: bool) -> None:
    """Follow what a sign-in says of a person: another address, or that they are no admin of the account any more."""
    given = {"of_account": account_id, "of_subject": subject}
    if not (is_admin and email):
        db.execute(sa.delete(mail_subscriptions).where(_OF_PERSON), given)
        return
    moved = sa.update(mail_subscriptions).where(_OF_PERSON, mail_subscriptions.c.email != email)
    db.execute(moved.values(email=email), given)


def unsubscribe(db: Connection, token: str) -> bool:
    """End the e-mails of whose link this is, whoever asks; False when there are none any more."""
    return bool(db.scalar(sa.text("select end_mails(:token)"), {"token": token}))


def accounts_told(db: Connection) -> list[tuple[int, str, str]]:
    """Id, slug and name of every account somebody of which is told by e-mail."""
    query = sa.text("""
        select a.id, a.slug, coalesce(nullif(a.name, ''), a.slug) from accounts a
        where exists (select from mail_subscriptions s where s.account_id = a.id) order by a.slug
    """)
    return [(row[0], row[1], row[2]) for row in db.execute(query)]


def subscriptions(db: Connection, account_id: int) -> list[Subscription]:
    """The account's, locked until the transaction ends; those that another process works on are left out."""
    query = sa.text("""
        select s.*, array(select t.kind from mails_told t where t.subscription_id = s.id) as told
        from mail_subscriptions s where s.account_id = :account_id order by s.id for update of s skip locked
    """)
    return [
        Subscription(
            row.id,
            row.account_id,
            row.email,
            Digest(row.digest),
            row.digest_at,
            row.unsubscribe_token,
            frozenset(NeedKind(kind) for kind in row.told),
        )
        for row in db.execute(query, {"account_id": account_id})
    ]


def cleared(db: Connection, account_id: int, still: Collection[NeedKind]) -> None:
    """Forget what was told of things that are over."""
    over = sa.delete(mails_told).where(mails_told.c.account_id == account_id, mails_told.c.kind.not_in(still))
    db.execute(over)


def told(db: Connection, one: Subscription, kinds: Collection[NeedKind]) -> None:
    """Note what a person was told of."""
    rows = [{"subscription_id": one.id, "account_id": one.account_id, "kind": kind} for kind in sorted(kinds)]
    if rows:
        db.execute(insert(mails_told).on_conflict_do_nothing(), rows)


def digest_was_due(db: Connection, one: Subscription, now: datetime) -> None:
    """Note that a digest was due, whether or not there was anything to tell."""
    was = sa.update(mail_subscriptions).where(mail_subscriptions.c.id == one.id).values(digest_at=now)
    db.execute(was)
