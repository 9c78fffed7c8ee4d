"""Activation-lock bypass codes: sealed before they are stored, revealed one at a time.

Belongs here: accounts' data keys, rotating keys, revealing with an audit entry. Does not belong here: ciphers
(``sealing``), fetching codes (``microsoft``) and when they are fetched (``details``). A code in the clear never enters a
repr, an exception or a log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy import Connection, Engine

from intune_pipeline.domain.serials import serial_key
from intune_pipeline.errors import PipelineError, WrongUseError
from intune_pipeline.inventory import accounts, audit
from intune_pipeline.inventory.schema import account_keys, audit_log
from intune_pipeline.inventory.sealing import AccountSeal, KeyRing, new_data_key

REVEALS_PER_HOUR: Final = 5
SHORTEST_REASON: Final = 10
_ROTATED_AT_ONCE = 5000
_REVEAL_LOCK = 0x1A7E_0004


class VaultClosedError(WrongUseError):
    """There are no keys, so codes are neither collected nor revealed."""


class KeyLostError(PipelineError):
    """A code was sealed with a key that is not among the keys any more, or for another account or serial number."""


class NoCodeError(WrongUseError):
    """There is no asset of this serial number, or no code is stored for it."""


class RevealLimitError(WrongUseError):
    """The account has revealed as many codes as it may within an hour.

    Attributes:
        possible_at: when the next can be revealed.
    """

    def __init__(self, account: str, possible_at: datetime) -> None:
        super().__init__(
            f"{REVEALS_PER_HOUR} bypass codes of {account} were revealed within an hour, which is the limit; "
            f"the next can be revealed at {possible_at:%H:%M} UTC."
        )
        self.possible_at = possible_at


class ShownAlreadyError(WrongUseError):
    """The form that asks was answered with a code before: it was sent once more, as by loading its page again."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did.

    Attributes:
        keys: data keys that the first key of the ring encrypts now.
        codes: codes in the form of earlier versions that were sealed anew, bound to their asset.
        dropped: such codes of devices that no list showed; the next sync collects them again.
    """

    keys: int
    codes: int
    dropped: int


class Vault:
    """Seals an account's codes with its data key, which the first key of the ring wraps; all keys open.

    Args:
        keys: Fernet keys, checked by the settings; empty keeps the vault closed.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._ring = KeyRing(keys)

    def __repr__(self) -> str:
        return f"Vault({len(self._ring)} keys)"

    @property
    def is_open(self) -> bool:
        """Whether there are keys."""
        return len(self._ring) > 0

    def of_account(self, db: Connection, account_id: int) -> AccountSeal:
        """What seals and opens an account's codes; its first data key, or one in place of a lost one, is made here.

        Args:
            db: a connection in a transaction.
            account_id: whose codes.

        Raises:
            VaultClosedError: there are no keys.
        """
        self._check_open()
        of_account = account_keys.c.account_id == account_id
        wrapped = db.scalars(sa.select(account_keys.c.wrapped_key).where(of_account).order_by(account_keys.c.id.desc()))
        data_keys = [key for one in wrapped if (key := self._ring.unwrap(one)) is not None]
        if not data_keys:
            data_keys = [new_data_key()]
            db.execute(sa.insert(account_keys).values(account_id=account_id, wrapped_key=self._ring.wrap(data_keys[0])))
        return AccountSeal(account_id, data_keys, self._ring)

    def reveal(
        self, db: Connection, account: str, serial_number: str, *, reason: str, actor: str, form: str = ""
    ) -> str:
        """The code of one asset in the clear, with the audit entry in the same transaction.

        Show it only after the transaction is committed.

        Args:
            db: a connection in a transaction.
            account: the account's slug.
            serial_number: in any spelling.
            reason: why it is needed, in the actor's words; mandatory.
            actor: a portal user, or ``operator:NAME``.
            form: what is answered only once, as a page's form; "" for none.

        Raises:
            WrongUseError: no reason is given, or one too short to say anything.
            UnknownAccountError: there is no such account.
            NoCodeError: there is no such asset, or no code of it.
            ShownAlreadyError: the form was answered before.
            RevealLimitError: there were `REVEALS_PER_HOUR` in the last hour; operators are told of that too.
            VaultClosedError: there are no keys.
            KeyLostError: none of the keys opens it.
        """
        if len(reason.strip()) < SHORTEST_REASON:
            raise WrongUseError(
                f"A bypass code is revealed only with a reason of {SHORTEST_REASON} characters at least, which is kept in the audit log."
            )
        owner = accounts.get(db, account)
        found = db.execute(_CODE, {"account_id": owner.id, "key": serial_key(serial_number)}).one_or_none()
        if found is None:
            raise NoCodeError(f"{account} has no asset with the serial number {serial_number}.")
        if found.ciphertext is None:
            raise NoCodeError(
                f"No bypass code is stored for {serial_number}: Intune has none for it, or it has not been collected yet."
            )
        # Two at once wait for each other.
        db.execute(
            sa.text("select pg_advisory_xact_lock(:lock, hashint8(:id))"), {"lock": _REVEAL_LOCK, "id": owner.id}
        )
        if form:
            _check_unused(db, owner, form)
        _spend_reveal(db, owner)
        code = self.of_account(db, owner.id).open(found.ciphertext, found.serial_key)
        if code is None:
            raise KeyLostError(
                "This bypass code was encrypted with a key that is not in BYPASS_CODE_KEYS any more, or for another serial "
                "number; put that key back behind the others, or let the next syncs collect the code anew."
            )
        details = {"form": form} if form else {}
        audit.record(
            db, owner.id, actor=actor, action="reveal", subject=serial_number.strip(), reason=reason.strip(), **details
        )
        return code

    def rotate(self, engine: Engine) -> Rotated:
        """Wrap every data key with the first key, and seal codes of earlier versions anew, bound to their asset.

        Equal ciphertexts of an asset and its device become equal ciphertexts, so that no sync sees a change; neither the
        history nor ``updated_at`` tells of it. Safe to run again, which is also what to do when a sync ran meanwhile.

        Raises:
            VaultClosedError: there are no keys.
            KeyLostError: some keys or codes cannot be opened; all others are rotated.
        """
        self._check_open()
        with engine.begin() as db:
            keys, lost = self._rewrap(db)
            account_ids = db.scalars(_ACCOUNTS_OF_EARLIER_CODES).all()
        codes = dropped = 0
        for account_id in account_ids:
            with engine.begin() as db:
                seal = self.of_account(db, account_id)
            resealed = _Resealing(engine, account_id, seal)
            resealed.run()
            codes, dropped, lost = codes + resealed.codes, dropped + resealed.dropped, lost + resealed.lost
        if lost:
            raise KeyLostError(
                f"{keys + codes} keys and bypass codes are encrypted with the first key now, but {lost} were encrypted with a "
                "key that is not in BYPASS_CODE_KEYS any more; put that key back behind the others and run this again."
            )
        return Rotated(keys, codes, dropped)

    def _rewrap(self, db: Connection) -> tuple[int, int]:
        """Returns how many data keys were wrapped anew and how many cannot be opened."""
        rewrapped = lost = 0
        for key_id, wrapped in db.execute(
            sa.select(account_keys.c.id, account_keys.c.wrapped_key).with_for_update()
        ).all():
            if self._ring.is_current(wrapped):
                continue
            data_key = self._ring.unwrap(wrapped)
            if data_key is None:
                lost += 1
                continue
            own = account_keys.c.id == key_id
            db.execute(sa.update(account_keys).where(own).values(wrapped_key=self._ring.wrap(data_key)))
            rewrapped += 1
        return rewrapped, lost

    def _check_open(self) -> None:
        if not self.is_open:
            raise VaultClosedError(
                "BYPASS_CODE_KEYS is not set, so bypass codes are neither collected nor revealed; "
                "docs/operations.md shows how to make a key."
            )


class _Resealing:
    """Seals one account's codes of earlier versions anew, in batches."""

    def __init__(self, engine: Engine, account_id: int, seal: AccountSeal) -> None:
        self._engine = engine
        self._account_id = account_id
        self._seal = seal
        self._sealed: dict[tuple[str, str], str | None] = {}
        self.codes = self.dropped = self.lost = 0

    def run(self) -> None:
        last = ("", "")
        while True:
            with self._engine.begin() as db:
                known = {"account_id": self._account_id, "code": last[0], "place": last[1], "limit": _ROTATED_AT_ONCE}
                batch = db.execute(_EARLIER_CODES, known).all()
                if not batch:
                    return
                last = (batch[-1].code, batch[-1].place)
                self._write(db, [row for row in batch if row.serial_key is not None])
                orphans = [row.device_id for row in batch if row.serial_key is None]
                if orphans:
                    self.dropped += len(orphans)
                    db.execute(_FORGET, {"account_id": self._account_id, "devices": orphans})

    def _write(self, db: Connection, rows: Sequence[Any]) -> None:
        for table, statement in _REPLACE.items():
            pairs = [(row.device_id, row.asset_id, row.code, self._anew(row)) for row in rows if row.place[0] == table]
            done = [pair for pair in pairs if pair[3] is not None]
            self.lost += len(pairs) - len(done)
            self.codes += len(done)
            names = ("devices", "assets", "old", "new")
            columns = dict(zip(names, map(list, zip(*done, strict=True)), strict=True)) if done else None
            if columns:
                db.execute(statement, {**columns, "account_id": self._account_id})

    def _anew(self, row: Any) -> str | None:
        """One new ciphertext for each old one of an asset, wherever that is stored; None when it does not open."""
        place = (row.serial_key, row.code)
        if place not in self._sealed:
            code = self._seal.open(row.code, row.serial_key)
            self._sealed[place] = None if code is None else self._seal.seal(code, row.serial_key)
        return self._sealed[place]


def _spend_reveal(db: Connection, owner: accounts.Account) -> None:
    """Count this reveal among those of the last hour.

    Raises:
        RevealLimitError: there were too many.
    """
    lately = (
        sa.select(audit_log.c.at)
        .where(
            audit_log.c.account_id == owner.id,
            audit_log.c.action == "reveal",
            audit_log.c.at > sa.func.now() - timedelta(hours=1),
        )
        .order_by(audit_log.c.at.desc())
        .offset(REVEALS_PER_HOUR - 1)
    )
    oldest: datetime | None = db.scalar(lately)
    if oldest is not None:
        raise RevealLimitError(owner.slug, oldest + timedelta(hours=1))


def _check_unused(db: Connection, owner: accounts.Account, form: str) -> None:
    """A form is answered with a code once.

    Raises:
        ShownAlreadyError: it was.
    """
    used = sa.select(audit_log.c.id).where(
        audit_log.c.account_id == owner.id,
        audit_log.c.action == "reveal",
        audit_log.c.details["form"].astext == form,
    )
    if db.execute(used).first() is not None:
        raise ShownAlreadyError("This code was shown already; sending its form again does not show it once more.")


_CODE = sa.text("""
    select a.serial_key, coalesce(a.activation_lock_bypass_code, (
        select d.bypass_code from device_outcomes o
        join device_details d on d.connection_id = o.connection_id and d.intune_device_id = o.intune_device_id
        where o.asset_id = a.id and o.outcome = 'synced' and d.bypass_code is not null
        order by o.last_synced_at desc nulls last limit 1
    )) as ciphertext
    from assets a where a.account_id = :account_id and a.serial_key = :key
""")

# A place is the table, and the row in it; equal ciphertexts come one after the other.
_EARLIER_CODES = sa.text("""
    select * from (
        select 'a' || a.id as place, a.id as asset_id, null as device_id, a.serial_key,
               a.activation_lock_bypass_code as code
        from assets a where a.account_id = :account_id and a.activation_lock_bypass_code like 'gAAAA%'
        union all
        select 'd' || d.intune_device_id, null, d.intune_device_id, o.serial_key, d.bypass_code
        from device_details d join connections c on c.id = d.connection_id
        left join device_outcomes o on o.connection_id = d.connection_id and o.intune_device_id = d.intune_device_id
        where c.account_id = :account_id and d.bypass_code like 'gAAAA%'
    ) stored
    where (code collate "C", place collate "C") > (:code, :place)
    order by code collate "C", place collate "C" limit :limit
""")
_ACCOUNTS_OF_EARLIER_CODES = sa.text("""
    select account_id from assets where activation_lock_bypass_code like 'gAAAA%'
    union
    select c.account_id from device_details d join connections c on c.id = d.connection_id
    where d.bypass_code like 'gAAAA%'
    order by account_id
""")
#: By the first letter of the place. Only what is still as it was read is replaced.
_REPLACE: Final = {
    "a": sa.text("""
        update assets a set activation_lock_bypass_code = r.new
        from unnest(cast(:assets as bigint[]), cast(:old as text[]), cast(:new as text[]), cast(:devices as text[]))
             as r (id, old, new, device)
        where a.id = r.id and a.account_id = :account_id and a.activation_lock_bypass_code = r.old
    """),
    "d": sa.text("""
        update device_details d set bypass_code = r.new
        from unnest(cast(:devices as text[]), cast(:old as text[]), cast(:new as text[]), cast(:assets as bigint[]))
             as r (device, old, new, asset)
        where d.intune_device_id = r.device and d.bypass_code = r.old
          and d.connection_id in (select c.id from connections c where c.account_id = :account_id)
    """),
}
_FORGET = sa.text("""
    update device_details set bypass_code = null, refreshed_at = null
    where intune_device_id = any(cast(:devices as text[])) and bypass_code like 'gAAAA%'
      and connection_id in (select c.id from connections c where c.account_id = :account_id)
""")
