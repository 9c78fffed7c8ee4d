"""Activation-lock bypass codes: sealed before they are stored, revealed one at a time.

Belongs here: sealing, comparing, rotating keys, revealing with an audit entry. Does not belong here: fetching codes
(``microsoft``) and when they are fetched (``details``). A code in the clear never enters a repr, an exception or a log.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr
from sqlalchemy import Connection, Engine

from intune_pipeline.domain.serials import serial_key
from intune_pipeline.errors import PipelineError, WrongUseError
from intune_pipeline.inventory import accounts, audit

_ROTATED_AT_ONCE = 5000


class VaultClosedError(WrongUseError):
    """There are no keys, so codes are neither collected nor revealed."""


class KeyLostError(PipelineError):
    """A code was sealed with a key that is not among the keys any more."""


class NoCodeError(WrongUseError):
    """There is no asset of this serial number, or no code is stored for it."""


class Vault:
    """Seals with the first key, opens with all of them.

    Args:
        keys: Fernet keys, checked by the settings; empty keeps the vault closed.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._fernets = [Fernet(key.get_secret_value()) for key in keys]

    def __repr__(self) -> str:
        return f"Vault({len(self._fernets)} keys)"

    @property
    def is_open(self) -> bool:
        """Whether there are keys."""
        return bool(self._fernets)

    def seal(self, code: str, known: Iterable[str | None] = ()) -> str:
        """The ciphertext of a code: a known one where it holds the same code, so that nothing seems to have changed.

        Args:
            code: in the clear.
            known: ciphertexts the device may have already; None and those of lost keys are passed over.

        Raises:
            VaultClosedError: there are no keys.
        """
        fernet = self._fernet()
        for ciphertext in known:
            if ciphertext is not None and _opened(fernet, ciphertext) == code:
                return ciphertext
        return fernet.encrypt(code.encode()).decode()

    def open(self, ciphertext: str) -> str:
        """The code in the clear.

        Raises:
            VaultClosedError: there are no keys.
            KeyLostError: none of the keys opens it.
        """
        code = _opened(self._fernet(), ciphertext)
        if code is None:
            raise KeyLostError(
                "This bypass code was encrypted with a key that is not in BYPASS_CODE_KEYS any more; "
                "put that key back behind the others, or let the next syncs collect the code anew."
            )
        return code

    def reveal(self, db: Connection, account: str, serial_number: str, *, reason: str, actor: str) -> str:
        """The code of one asset in the clear, with the audit entry in the same transaction.

        Show it only after the transaction is committed.

        Args:
            db: a connection in a transaction.
            account: the account's slug.
            serial_number: in any spelling.
            reason: why it is needed, in the actor's words; mandatory.
            actor: a portal user, or ``operator:NAME``.

        Raises:
            WrongUseError: no reason is given.
            UnknownAccountError: there is no such account.
            NoCodeError: there is no such asset, or no code of it.
            VaultClosedError: there are no keys.
            KeyLostError: none of the keys opens it.
        """
        if not reason.strip():
            raise WrongUseError("A bypass code is revealed only with a reason, which is kept in the audit log.")
        owner = accounts.get(db, account)
        ciphertext = db.execute(_CODE, {"account_id": owner.id, "key": serial_key(serial_number)}).one_or_none()
        if ciphertext is None:
            raise NoCodeError(f"{account} has no asset with the serial number {serial_number}.")
        if ciphertext[0] is None:
            raise NoCodeError(
                f"No bypass code is stored for {serial_number}: Intune has none for it, or it has not been collected yet."
            )
        code = self.open(ciphertext[0])
        audit.record(db, owner.id, actor=actor, action="reveal", subject=serial_number.strip(), reason=reason.strip())
        return code

    def rotate(self, engine: Engine) -> int:
        """Seal every stored code with the first key, in batches; returns how many ciphertexts were replaced.

        Equal ciphertexts become equal ciphertexts in both tables, so that no sync sees a change; neither the history nor
        ``updated_at`` tells of it. Safe to run again, which is also what to do when a sync ran meanwhile.

        Raises:
            VaultClosedError: there are no keys.
            KeyLostError: some codes cannot be opened; all others are rotated.
        """
        fernet = self._fernet()
        last, rotated, lost = "", 0, 0
        while True:
            with engine.begin() as db:
                batch = db.scalars(_BATCH, {"last": last, "limit": _ROTATED_AT_ONCE}).all()
                if not batch:
                    break
                last = batch[-1]
                due = [ciphertext for ciphertext in batch if _opened(self._fernets[0], ciphertext) is None]
                readable = [ciphertext for ciphertext in due if _opened(fernet, ciphertext) is not None]
                lost += len(due) - len(readable)
                rotated += len(readable)
                pairs = {"old": readable, "new": [fernet.rotate(ciphertext).decode() for ciphertext in readable]}
                for statement in _REPLACE:
                    db.execute(statement, pairs)
        if lost:
            raise KeyLostError(
                f"{rotated} bypass codes are encrypted with the first key now, but {lost} were encrypted with a key that is "
                "not in BYPASS_CODE_KEYS any more; put that key back behind the others and run this again."
            )
        return rotated

    def _fernet(self) -> MultiFernet:
        if not self._fernets:
            raise VaultClosedError(
                "BYPASS_CODE_KEYS is not set, so bypass codes are neither collected nor revealed; "
                "docs/operations.md shows how to make a key."
            )
        return MultiFernet(self._fernets)


def _opened(fernet: Fernet | MultiFernet, ciphertext: str) -> str | None:
    try:
        return fernet.decrypt(ciphertext).decode()
    except InvalidToken:
        return None


_CODE = sa.text("""
    select coalesce(a.activation_lock_bypass_code, (
        select d.bypass_code from device_outcomes o
        join device_details d on d.connection_id = o.connection_id and d.intune_device_id = o.intune_device_id
        where o.asset_id = a.id and o.outcome = 'synced' and d.bypass_code is not null
        order by o.last_synced_at desc nulls last limit 1
    ))
    from assets a where a.account_id = :account_id and a.serial_key = :key
""")

# Both tables walked in the order of the ciphertexts. What a batch wrote may come again; it needs nothing then.
_BATCH = sa.text("""
    select ciphertext from (
        select bypass_code as ciphertext from device_details
        union select activation_lock_bypass_code from assets
    ) stored
    where ciphertext collate "C" > :last order by ciphertext collate "C" limit :limit
""")
_REPLACE = [
    sa.text(f"""
        update {table} t set {column} = pair.new
        from unnest(cast(:old as text[]), cast(:new as text[])) as pair (old, new) where t.{column} = pair.old
    """)  # noqa: S608 - constants
    for table, column in (("device_details", "bypass_code"), ("assets", "activation_lock_bypass_code"))
]
