"""Locks of single fields, and lifting what an undo keeps back.

Belongs here: locking, unlocking, lifting, listing. Does not belong here: what a kept value does in a sync (``domain.kept``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.fields import INTUNE_FIELDS
from intune_pipeline.domain.kept import WHOLE_ASSET
from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import KeptKind
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit
from intune_pipeline.inventory.schema import assets, kept_values

LOCKABLE: Final = (*INTUNE_FIELDS, "assignee_id", "status")
"""Columns of ``assets`` that a sync may write and a person may lock."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A value of an asset that syncs leave as it is; the attributes are columns of ``kept_values``."""

    field: str
    kind: KeptKind
    intune_value: str | None
    set_by: str
    set_at: datetime
    sync_run_id: int | None


def lock(db: Connection, account: str, serial_number: str, field: str, *, actor: str) -> bool:
    """Let syncs leave a field of an asset as it is; False when it is locked already.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: no such asset, or a field that no sync writes.
    """
    account_id, key = _asset(db, account, serial_number, field)
    locked = db.execute(
        sa.text("""
            insert into kept_values (account_id, serial_key, field, kind, set_by)
            values (:account_id, :key, :field, 'locked', :actor) on conflict do nothing
        """),
        {"account_id": account_id, "key": key, "field": field, "actor": actor},
    )
    if locked.rowcount:
        audit.record(db, account_id, actor=actor, action="lock", subject=serial_number, field=field)
        _note(db, account_id, key, field, "locked: syncs leave it as it is", actor)
    return bool(locked.rowcount)


def unlock(db: Connection, account: str, serial_number: str, field: str, *, actor: str) -> None:
    """Let syncs write a field again: ends a lock, and lifts what an undo keeps back.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: no such asset, or nothing of it is kept.
    """
    account_id, key = _asset(db, account, serial_number, field)
    lifted = db.execute(
        sa.delete(kept_values).where(
            kept_values.c.account_id == account_id, kept_values.c.serial_key == key, kept_values.c.field == field
        )
    )
    if not lifted.rowcount:
        raise WrongUseError(f"The field {field} of {serial_number} is neither locked nor kept back by an undo.")
    audit.record(db, account_id, actor=actor, action="unlock", subject=serial_number, field=field)
    _note(db, account_id, key, field, "unlocked: syncs write it again", actor)


def lift(db: Connection, account: str, serial_number: str, *, actor: str) -> None:
    """Let the next sync create the asset of a serial number again whose creation was undone.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: nothing of this serial number was undone.
    """
    account_id = accounts.get(db, account).id
    lifted = db.execute(
        sa.delete(kept_values).where(
            kept_values.c.account_id == account_id,
            kept_values.c.serial_key == (serial_key(serial_number) or ""),
            kept_values.c.kind == KeptKind.UNDONE,
        )
    )
    if not lifted.rowcount:
        raise WrongUseError(f"Nothing of {serial_number} is kept back by an undo.")
    audit.record(db, account_id, actor=actor, action="lift", subject=serial_number)


def release(db: Connection, account: str, serial_number: str, field: str, *, actor: str) -> None:
    """Unlock a field, or lift that there is no asset of this serial number (the field ``asset``).

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: nothing of it is kept.
    """
    if field == WHOLE_ASSET:
        lift(db, account, serial_number, actor=actor)
    else:
        unlock(db, account, serial_number, field, actor=actor)


def of_serial(db: Connection, account_id: int, key: str) -> list[Kept]:
    """What is kept of one serial number, by field."""
    columns = [kept_values.c[name] for name in Kept.__slots__]
    query = (
        sa.select(*columns)
        .where(kept_values.c.account_id == account_id, kept_values.c.serial_key == key)
        .order_by(kept_values.c.field, kept_values.c.kind)
    )
    return [Kept(**{**row, "kind": KeptKind(row["kind"])}) for row in db.execute(query).mappings()]


def _asset(db: Connection, account: str, serial_number: str, field: str) -> tuple[int, str]:
    account_id = accounts.get(db, account).id
    if field not in LOCKABLE:
        raise WrongUseError(f"No sync writes the field {field!r}; those that can be locked are {', '.join(LOCKABLE)}.")
    key = serial_key(serial_number) or ""
    query = sa.select(assets.c.id).where(assets.c.account_id == account_id, assets.c.serial_key == key)
    if db.scalar(query) is None:
        raise WrongUseError(f"{account} has no asset with the serial number {serial_number}.")
    return account_id, key


def _note(db: Connection, account_id: int, key: str, field: str, reason: str, actor: str) -> None:
    """The lock in the asset's history: the value stays, so old and new are the same."""
    db.execute(
        sa.text("""
            insert into asset_changes (asset_id, field, old_value, new_value, reason, actor)
            select a.id, :field, v.value, v.value, :reason, :actor
            from assets a
            cross join lateral (
                select case when :field <> 'activation_lock_bypass_code' then to_jsonb(a) ->> :field end as value
            ) v
            where a.account_id = :account_id and a.serial_key = :key
        """),
        {"account_id": account_id, "key": key, "field": field, "reason": reason, "actor": actor},
    )
