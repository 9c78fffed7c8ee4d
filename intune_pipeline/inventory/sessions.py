"""Sign-ins of the portal: who is signed in with which cookie, since when, and when that ends.

Belongs here: beginning, finding and ending sessions, and forms kept for a person who has to sign in again. Does not
belong here: cookies (``portal.browser_sessions``) and what a person may do (``portal.access``). The token itself is only in
the browser's cookie; the database knows its hash, so that nobody who reads the database can take a session over.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from intune_pipeline.domain.vocabulary import Role
from intune_pipeline.inventory.schema import kept_forms, portal_sessions

LONGEST: Final = timedelta(hours=8)
"""A session ends so long after the sign-in, whatever happens."""

IDLE: Final = timedelta(hours=1)
"""A session ends so long after the last request."""

FORM_KEPT: Final = timedelta(hours=1)
"""How long a form is kept for a person who has to sign in again."""

_SEEN_STEP: Final = timedelta(minutes=1)
KNOWN_FOR: Final = timedelta(days=1)
"""So long after it began, an ended session still tells whose form came too late; it opens nothing."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person as the sign-in described them.

    Attributes:
        subject: the sign-in provider's id of the person.
        email: verified; "" when there is none.
        name: "" when there is none.
        role: None for somebody who is no admin.
        beta: whether they have the permission ``intune:beta``.
        authenticated_at: when they last gave their password or the like; None when the provider did not say.
    """

    subject: str
    email: str
    name: str
    role: Role | None
    beta: bool
    authenticated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A session, live or ended.

    Attributes:
        id: its number; no secret.
        account_id: None when allwhere does not know the organisation.
        person: who signed in.
        signed_in_at: when it began.
        last_seen_at: the last request, to the minute.
        ended_at: None unless somebody ended it.
    """

    id: int
    account_id: int | None
    person: SignedIn
    signed_in_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.ended_at is None and now < self.signed_in_at + LONGEST and now < self.last_seen_at + IDLE


def begin(db: Connection, person: SignedIn, account_id: int | None, now: datetime) -> str:
    """Begin a session and forget those that ended a day ago. Returns the token for the cookie: 256 bits.

    Args:
        db: a connection in a transaction.
        person: who signed in.
        account_id: of the organisation they signed in to; None when allwhere does not know it.
        now: the present moment.
    """
    token = secrets.token_urlsafe(32)
    db.execute(sa.delete(portal_sessions).where(portal_sessions.c.signed_in_at < now - LONGEST - KNOWN_FOR))
    db.execute(
        sa.insert(portal_sessions).values(
            token_hash=_hash(token),
            account_id=account_id,
            subject=person.subject,
            email=person.email,
            name=person.name,
            role=person.role,
            beta=person.beta,
            authenticated_at=person.authenticated_at,
            signed_in_at=now,
            last_seen_at=now,
        )
    )
    return token


def find(db: Connection, token: str) -> Session | None:
    """The session of a token, live or ended; None when there never was one or it is long forgotten."""
    row = db.execute(_SELECT.where(portal_sessions.c.token_hash == _hash(token))).one_or_none()
    return None if row is None else _session(row)


def seen(db: Connection, session: Session, now: datetime) -> None:
    """Note a request, at most once a minute."""
    if now - session.last_seen_at >= _SEEN_STEP:
        db.execute(sa.update(portal_sessions).where(portal_sessions.c.id == session.id).values(last_seen_at=now))


def end(db: Connection, token: str, now: datetime) -> None:
    """End the session of a token, if there is one."""
    _end(db, now, portal_sessions.c.token_hash == _hash(token))


def end_of_subject(db: Connection, subject: str, now: datetime) -> int:
    """End every session of a person, in every browser; returns how many."""
    return _end(db, now, portal_sessions.c.subject == subject)


def end_of_account(db: Connection, account_id: int, now: datetime, *, subject: str | None = None) -> int:
    """End an account's sessions, or those of one person in it; returns how many."""
    of_person = portal_sessions.c.subject == subject if subject is not None else sa.true()
    return _end(db, now, portal_sessions.c.account_id == account_id, of_person)


def end_all(db: Connection, now: datetime) -> int:
    """End every session there is; returns how many."""
    return _end(db, now)


def live_of_account(db: Connection, account_id: int, now: datetime) -> list[Session]:
    """An account's live sessions, newest first."""
    query = (
        _SELECT.where(portal_sessions.c.account_id == account_id, portal_sessions.c.ended_at.is_(None))
        .where(portal_sessions.c.signed_in_at > now - LONGEST, portal_sessions.c.last_seen_at > now - IDLE)
        .order_by(portal_sessions.c.signed_in_at.desc())
    )
    return [_session(row) for row in db.execute(query)]


def keep_form(db: Connection, session_id: int, sealed: str, now: datetime) -> str:
    """Keep a form for its sender to send again after signing in; one per session. Returns a token that finds it.

    Args:
        db: a connection in a transaction.
        session_id: the session it was typed in.
        sealed: what was typed, encrypted.
        now: the present moment.
    """
    token = secrets.token_urlsafe(32)
    new = insert(kept_forms).values(token_hash=_hash(token), session_id=session_id, sealed=sealed, kept_at=now)
    replaced = {name: new.excluded[name] for name in ("token_hash", "sealed", "kept_at")}
    db.execute(new.on_conflict_do_update(index_elements=["session_id"], set_=replaced))
    return token


def kept_form(db: Connection, token: str, *, account_id: int, subject: str, now: datetime) -> str | None:
    """A kept form, still encrypted; None when it is too old or was typed by another person or for another account."""
    return db.scalar(
        sa.select(kept_forms.c.sealed)
        .join(portal_sessions)
        .where(
            kept_forms.c.token_hash == _hash(token),
            kept_forms.c.kept_at > now - FORM_KEPT,
            portal_sessions.c.account_id == account_id,
            portal_sessions.c.subject == subject,
        )
    )


def _end(db: Connection, now: datetime, *which: sa.ColumnElement[bool]) -> int:
    ended = sa.update(portal_sessions).where(portal_sessions.c.ended_at.is_(None), *which).values(ended_at=now)
    return db.execute(ended).rowcount


def _session(row: sa.Row[tuple[object, ...]]) -> Session:
    role = Role(row.role) if row.role else None
    person = SignedIn(row.subject, row.email, row.name, role, row.beta, row.authenticated_at)
    return Session(
        id=row.id,
        account_id=row.account_id,
        person=person,
        signed_in_at=row.signed_in_at,
        last_seen_at=row.last_seen_at,
        ended_at=row.ended_at,
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


_SELECT = sa.select(portal_sessions)
