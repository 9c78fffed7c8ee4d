"""Consents under way: one-time states, kept as hashes and bound to a browser session and an account.

Belongs here: beginning an attempt and taking it, once. Does not belong here: what Microsoft answered, and sealing what
must stay secret (the portal does both).
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from intune_pipeline.domain.vocabulary import ConnectStep
from intune_pipeline.inventory.schema import connect_attempts

LIFETIME = timedelta(minutes=15)


class AttemptProblem(StrEnum):
    """Why a state opens nothing."""

    UNKNOWN = "unknown"
    """Never given out, or given to another session or account."""
    USED = "used"
    EXPIRED = "expired"


class AttemptError(Exception):
    """A state opens nothing.

    Attributes:
        problem: why.
    """

    def __init__(self, problem: AttemptProblem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was put aside when the browser left for Microsoft.

    Attributes:
        requested_by: who began.
        tenant_id: the tenant the consent redirect claims; None in the first step.
        secrets: the sealed sign-in flow; None in the first step.
        choices: what was ticked on the connect page.
    """

    requested_by: str
    tenant_id: str | None
    choices: Mapping[str, Any]
    secrets: str | None = field(repr=False)


def new_state() -> str:
    """A state nobody can guess: 256 bits."""
    return secrets.token_urlsafe(32)


def begin(
    db: Connection,
    state: str,
    *,
    account_id: int,
    session_id: str,
    requested_by: str,
    step: ConnectStep,
    choices: Mapping[str, Any],
    tenant_id: str | None = None,
    sealed: str | None = None,
) -> None:
    """Put an attempt aside for 15 minutes, and forget those that ended a day ago.

    Args:
        db: a connection in a transaction.
        state: from `new_state`; only its hash is stored.
        account_id: the account that connects.
        session_id: the browser session that must come back; only its hash is stored.
        requested_by: who connects.
        step: which way the browser leaves.
        choices: what was ticked.
        tenant_id: the tenant claimed so far.
        sealed: secrets of the sign-in, encrypted.
    """
    db.execute(delete(connect_attempts).where(connect_attempts.c.expires_at < func.now() - timedelta(days=1)))
    db.execute(
        insert(connect_attempts).values(
            state_hash=_hash(state),
            account_id=account_id,
            session_hash=_hash(session_id),
            requested_by=requested_by,
            step=step,
            tenant_id=tenant_id,
            secrets=sealed,
            choices=dict(choices),
            expires_at=func.now() + LIFETIME,
        )
    )


def take(db: Connection, state: str, *, account_id: int, session_id: str, step: ConnectStep) -> Attempt:
    """Use an attempt up; of two that come at once, one gets it.

    Args:
        db: a connection in a transaction.
        state: what came back.
        account_id: the account of whoever is signed in, or who an invited administrator answers.
        session_id: of the browser it came back in.
        step: which way the browser had left.

    Raises:
        AttemptError: there is none for this state, session, account and step that is unused and young enough.
    """
    table = connect_attempts
    ours = (
        table.c.state_hash == _hash(state),
        table.c.account_id == account_id,
        table.c.session_hash == _hash(session_id),
        table.c.step == step,
    )
    row = db.execute(
        update(table)
        .where(*ours, table.c.used_at.is_(None), table.c.expires_at > func.now())
        .values(used_at=func.now())
        .returning(table.c.requested_by, table.c.tenant_id, table.c.secrets, table.c.choices)
    ).one_or_none()
    if row is not None:
        return Attempt(row.requested_by, row.tenant_id, row.choices, row.secrets)
    used_at = db.execute(select(table.c.used_at).where(*ours)).one_or_none()
    if used_at is None:
        raise AttemptError(AttemptProblem.UNKNOWN)
    raise AttemptError(AttemptProblem.EXPIRED if used_at[0] is None else AttemptProblem.USED)


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
