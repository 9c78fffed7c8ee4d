"""Links to a customer's Microsoft administrator, who may consent and has no user in allwhere.

Belongs here: making a link, finding it by its secret, and what becomes of it. Does not belong here: the administrator's
sign-ins and consent (the portal), and linking the tenant (``linking``). A link is answered once and lives 72 hours.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import InvitationStatus
from intune_pipeline.inventory import audit
from intune_pipeline.inventory.schema import accounts, admin_invitations

LIFETIME = timedelta(hours=72)
_LONGEST_ID = 18
_LIVE = (InvitationStatus.OPEN, InvitationStatus.ANSWERED)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that was made.

    Attributes:
        id: of its row.
        account_id: who asks.
        account: that account's slug.
        organisation: that account's name.
        requested_by: the Primary Admin who made it.
        choices: what was ticked on the connect page.
        status: what became of it.
        expires_at: when an open one ends.
    """

    id: int
    account_id: int
    account: str
    organisation: str
    requested_by: str
    choices: Mapping[str, Any]
    status: InvitationStatus
    expires_at: datetime


def create(db: Connection, account_id: int, *, requested_by: str, choices: Mapping[str, Any], now: datetime) -> str:
    """Make a link in place of an earlier one; only the hash of its secret is stored.

    Args:
        db: a connection in a transaction.
        account_id: the account that asks.
        requested_by: the Primary Admin.
        choices: what was ticked on the connect page.
        now: the present moment.

    Returns:
        What its address ends in: the account's id, by which the rest is looked up, and the secret.
    """
    end(db, account_id, InvitationStatus.WITHDRAWN)
    token = f"{account_id}.{secrets.token_urlsafe(32)}"
    db.execute(
        sa.insert(admin_invitations).values(
            account_id=account_id,
            token_hash=_hash(token),
            requested_by=requested_by,
            choices=dict(choices),
            expires_at=now + LIFETIME,
        )
    )
    audit.record(db, account_id, actor=requested_by, action="invite")
    return token


def end(db: Connection, account_id: int, status: InvitationStatus) -> bool:
    """Say what became of an account's link; False when there is none that lives."""
    ended = db.execute(
        sa.update(admin_invitations)
        .where(admin_invitations.c.account_id == account_id, admin_invitations.c.status.in_(_LIVE))
        .values(status=status)
    )
    return ended.rowcount > 0


def answer(db: Connection, invitation_id: int) -> bool:
    """Note that the administrator consented; False when the link was answered, refused or withdrawn before."""
    answered = db.execute(
        sa.update(admin_invitations)
        .where(admin_invitations.c.id == invitation_id, admin_invitations.c.status == InvitationStatus.OPEN)
        .values(status=InvitationStatus.ANSWERED)
    )
    return answered.rowcount > 0


def of_account(db: Connection, account_id: int, now: datetime) -> Invitation | None:
    """The account's link that lives, None when there is none."""
    return _one(db, now, admin_invitations.c.account_id == account_id)


def account_of(token: str) -> int | None:
    """The account a token says it is of; None when it says none. Nothing is proven by it."""
    claimed = token.partition(".")[0]
    return int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) <= _LONGEST_ID else None


def of_token(db: Connection, token: str, now: datetime) -> Invitation | None:
    """The link of this token, None when there is none that lives."""
    return _one(db, now, admin_invitations.c.token_hash == _hash(token))


def of_id(db: Connection, invitation_id: int, now: datetime) -> Invitation | None:
    """The link of this id, None when it does not live."""
    return _one(db, now, admin_invitations.c.id == invitation_id)


def _one(db: Connection, now: datetime, condition: sa.ColumnElement[bool]) -> Invitation | None:
    table = admin_invitations.c
    in_time = sa.or_(table.status == InvitationStatus.ANSWERED, table.expires_at > now)
    row = db.execute(
        sa.select(
            table.id, table.account_id, accounts.c.slug, accounts.c.name, table.requested_by, table.choices,
            table.status, table.expires_at,
        )
        .join(accounts, accounts.c.id == table.account_id)
        .where(condition, table.status.in_(_LIVE), in_time)
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    status = InvitationStatus(row.status)
    name = row.name or row.slug
    return Invitation(row.id, row.account_id, row.slug, name, row.requested_by, row.choices, status, row.expires_at)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
