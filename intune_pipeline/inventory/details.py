"""What only a single request per device tells: memory and the sealed bypass code.

Belongs here: which devices are to be asked about, storing answers, what is kept. Does not belong here: asking
(``microsoft``) and ciphers (``vault``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.fields import DeviceDetails, Sealed
from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import Outcome
from intune_pipeline.inventory.vault import Vault

_STORED_AT_ONCE = 1000
_IS_DUE = "d.refreshed_at is null or d.failure is not null or d.refreshed_at < now() - :refresh_after"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking about one device.

    Attributes:
        intune_device_id: which.
        memory_gb: GiB; None where Intune knows none.
        bypass_code: in the clear, never shown; None where Intune has none.
        failure: why nothing came; None for an answer, however empty.
        serial_number: the device's, which its code is bound to; a code without one is not kept.
    """

    intune_device_id: str
    memory_gb: int | None = None
    bypass_code: str | None = field(default=None, repr=False)
    failure: str | None = None
    serial_number: str | None = None


def due(db: Connection, connection_id: int, device_ids: Sequence[str], *, refresh_after: timedelta) -> list[str]:
    """Those of the devices to ask about, in the given order: new ones, stale ones, and those that failed last time.

    Args:
        db: any connection.
        connection_id: whose devices.
        device_ids: Intune's ids of the eligible devices.
        refresh_after: age from which an answer is stale; Intune takes stock weekly.
    """
    query = sa.text(f"""
        select device.id from unnest(cast(:ids as text[])) with ordinality as device (id, position)
        left join device_details d on d.connection_id = :connection_id and d.intune_device_id = device.id
        where {_IS_DUE}
        order by device.position
    """)  # noqa: S608 - a constant
    given = {"ids": list(device_ids), "connection_id": connection_id, "refresh_after": refresh_after}
    return list(db.scalars(query, given))


def not_due(db: Connection, connection_id: int, *, refresh_after: timedelta) -> frozenset[str]:
    """Ids of the devices not to ask about before the whole list is judged: answered lately, or skipped by the last sync.

    Args:
        db: any connection.
        connection_id: whose devices.
        refresh_after: age from which an answer is stale.
    """
    query = sa.text(f"""
        select intune_device_id from device_details d where connection_id = :id and not ({_IS_DUE})
        union all select intune_device_id from device_outcomes where connection_id = :id and outcome = :skipped
    """)  # noqa: S608 - a constant
    given = {"id": connection_id, "refresh_after": refresh_after, "skipped": Outcome.SKIPPED}
    return frozenset(db.scalars(query, given))


def kept(db: Connection, connection_id: int) -> dict[str, DeviceDetails]:
    """What is known of a connection's devices, by Intune's id."""
    query = sa.text("select intune_device_id, memory_gb, bypass_code from device_details where connection_id = :id")
    return {
        device_id: DeviceDetails(memory_gb, Sealed(code) if code else None)
        for device_id, memory_gb, code in db.execute(query, {"id": connection_id})
    }


def sealed(db: Connection, connection_id: int, answers: Collection[Answer], vault: Vault) -> dict[str, DeviceDetails]:
    """Answers with their codes sealed, by Intune's id, without storing them: for ``plan``. Failures are left out.

    A code that did not change keeps its ciphertext; with a closed vault there is none.
    """
    with_codes = {
        answer.intune_device_id: key
        for answer in answers
        if answer.bypass_code and vault.is_open and (key := serial_key(answer.serial_number))
    }
    known = _known(db, connection_id, list(with_codes))
    seal = vault.of_account(db, _account_id(db, connection_id)) if with_codes else None

    def code_of(answer: Answer) -> Sealed | None:
        key = with_codes.get(answer.intune_device_id)
        if seal is None or key is None or answer.bypass_code is None:
            return None
        return Sealed(seal.seal(answer.bypass_code, key, known.get(answer.intune_device_id, ())))

    return {
        answer.intune_device_id: DeviceDetails(answer.memory_gb, code_of(answer))
        for answer in answers
        if answer.failure is None
    }


def _account_id(db: Connection, connection_id: int) -> int:
    query = sa.text("select account_id from connections where id = :id")
    return int(db.execute(query, {"id": connection_id}).scalar_one())


def store(db: Connection, connection_id: int, answers: Collection[Answer], vault: Vault) -> None:
    """Keep answers, many in one statement; empty values and failures overwrite nothing that was known.

    Args:
        db: a connection in a transaction.
        connection_id: whose devices.
        answers: at most one per device.
        vault: a closed one lets the codes go by.
    """
    details = sealed(db, connection_id, answers, vault)
    rows: list[dict[str, Any]] = [
        {
            "connection_id": connection_id,
            "intune_device_id": answer.intune_device_id,
            "memory_gb": found.memory_gb if (found := details.get(answer.intune_device_id)) else None,
            "bypass_code": found.bypass_code.token if found and found.bypass_code else None,
            "failure": answer.failure,
        }
        # In one order, so that two that store at once do not wait for each other crosswise.
        for answer in sorted(answers, key=lambda answer: answer.intune_device_id)
    ]
    for start in range(0, len(rows), _STORED_AT_ONCE):
        batch = rows[start : start + _STORED_AT_ONCE]
        columns = {
            name: [row[name] for row in batch] for name in ("intune_device_id", "memory_gb", "bypass_code", "failure")
        }
        db.execute(_STORE, {**columns, "connection_id": connection_id})


def _known(db: Connection, connection_id: int, device_ids: list[str]) -> dict[str, tuple[str | None, str | None]]:
    """The ciphertexts a device has already: its asset's first, which then stays as it is."""
    query = sa.text("""
        select device.id, a.activation_lock_bypass_code, d.bypass_code
        from unnest(cast(:ids as text[])) as device (id)
        left join device_outcomes o on o.connection_id = :connection_id and o.intune_device_id = device.id
        left join assets a on a.id = o.asset_id
        left join device_details d on d.connection_id = :connection_id and d.intune_device_id = device.id
    """)
    rows = db.execute(query, {"ids": device_ids, "connection_id": connection_id})
    return {device_id: (of_asset, of_device) for device_id, of_asset, of_device in rows}


_STORE = sa.text("""
    insert into device_details as d (connection_id, intune_device_id, memory_gb, bypass_code, failure, refreshed_at)
    select :connection_id, id, memory_gb, bypass_code, failure, case when failure is null then now() end
    from unnest(cast(:intune_device_id as text[]), cast(:memory_gb as int[]), cast(:bypass_code as text[]),
                cast(:failure as text[])) as answer (id, memory_gb, bypass_code, failure)
    on conflict (connection_id, intune_device_id) do update
    set memory_gb = coalesce(excluded.memory_gb, d.memory_gb), bypass_code = coalesce(excluded.bypass_code, d.bypass_code),
        failure = excluded.failure, refreshed_at = coalesce(excluded.refreshed_at, d.refreshed_at)
""")
