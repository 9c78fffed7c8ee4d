"""What operators have to know: what is wrong now, what they were told, what is over.

Belongs here: finding troubles in the tables, and the table ``alerts``. Does not belong here: sending messages
(``orchestration.sync.alerts``).
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from intune_pipeline.domain.needs import SAID_BY
from intune_pipeline.domain.vocabulary import NeedKind
from intune_pipeline.inventory import security_counts
from intune_pipeline.inventory.fleet import FleetLine, fleet
from intune_pipeline.inventory.vault import REVEALS_PER_HOUR

#: A cause that stops every tenant is one trouble, not one per tenant. Its name in ``microsoft.causes``.
OF_EVERY_TENANT = "our_credential"

# That a plan changed before it was done waits for its customer alone.
_TROUBLES = sa.text(
    """
    with last_run as (
        select distinct on (connection_id) connection_id, status, cause, error
        from sync_runs
        where status <> 'running' and trigger <> 'undo'
        order by connection_id, started_at desc, id desc
    ),
    held_employees as (
        select connection_id, count(*) as people
        from employee_holds
        where decision = 'waiting'
        group by connection_id
    ),
    reveals as (
        select account_id, count(*) as codes, (array_agg(actor order by id desc))[1] as actor
        from audit_log
        where action = 'reveal' and at > now() - interval '1 hour'
        group by account_id
        having count(*) >= :reveals
    ),
    open_connections as (
        select c.id, a.slug as account
        from connections c
        join accounts a on a.id = c.account_id
        where c.status <> 'disconnected'
    )
    select coalesce(r.cause, 'failed') as cause, c.id as connection_id, c.account,
           coalesce(r.error, 'The last sync failed.') as message
    from open_connections c
    join last_run r on r.connection_id = c.id and r.status = 'failed' and r.cause is distinct from 'plan_changed'
    union all
    select 'lifecycle_hold', c.id, c.account,
           h.reason || ' Release or drop the hold after a look at the devices.'
    from open_connections c
    join lifecycle_holds h on h.connection_id = c.id and h.decision = 'waiting'
    union all
    select 'employee_hold', c.id, c.account,
           e.people || ' employees would be created beside one of the same name; somebody decides for each.'
    from open_connections c
    join held_employees e on e.connection_id = c.id
    union all
    select 'reveals', c.id, a.slug,
           r.codes || ' bypass codes were revealed within an hour, the last one by ' || r.actor
           || '; more are refused for now. Look at the audit log and ask whether that is right.'
    from reveals r
    join accounts a on a.id = r.account_id
    left join connections c on c.account_id = r.account_id
    order by cause, connection_id
    """
)

_WARNINGS = sa.text(
    """
    select distinct on (c.id) c.id as connection_id, a.slug as account, r.warnings
    from connections c
    join accounts a on a.id = c.account_id
    join sync_runs r on r.connection_id = c.id and r.status = 'succeeded' and r.trigger <> 'undo'
    where c.status <> 'disconnected'
    order by c.id, r.finished_at desc
    """
)

_RAISE = sa.text(
    """
    insert into alerts (cause, connection_id, message)
    select * from unnest(cast(:causes as text[]), cast(:connections as bigint[]), cast(:messages as text[]))
    on conflict do nothing
    """
)

_CLEAR = sa.text(
    """
    update alerts set cleared_at = now()
    where cleared_at is null
      and not exists (
        select from unnest(cast(:causes as text[]), cast(:connections as bigint[])) as still(cause, connection_id)
        where still.cause = alerts.cause and still.connection_id is not distinct from alerts.connection_id
      )
    """
)

_UNTOLD = sa.text(
    """
    select n.id, n.cause, n.message, a.slug as account
    from alerts n
    left join connections c on c.id = n.connection_id
    left join accounts a on a.id = c.account_id
    where n.told_at is null and n.cleared_at is null
    order by n.id
    for update of n skip locked
    """
)

_OPEN = sa.text(
    """
    select cause, count(*) as tenants, max(told_at) as told_at, now() as now
    from alerts where cleared_at is null and connection_id is not null group by cause
    """
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now.

    Attributes:
        cause: a cause of ``microsoft.causes``, ``failed``, ``late``, ``lifecycle_hold``, ``employee_hold``, ``reveals``, the name of a
            check that warns, or an event of the portal's security log that happens too often.
        connection_id: whose; None for what concerns every tenant.
        account: the account's slug; None likewise.
        message: one sentence: what happened and what to do.
    """

    cause: str
    connection_id: int | None
    account: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A stored alert that nobody was told of yet.

    Attributes:
        id: its row.
        cause: see `Trouble`.
        message: one sentence: what happened and what to do.
        account: the account's slug; None for what concerns every tenant.
    """

    id: int
    cause: str
    message: str
    account: str | None


@dataclass(frozen=True, slots=True)
class OpenCause:
    """How many tenants have the same trouble now.

    Attributes:
        tenants: how many.
        told_ago: how long ago people were last told of one of them; None: never.
    """

    tenants: int
    told_ago: timedelta | None


def troubles(db: Connection, *, late_after: timedelta) -> list[Trouble]:
    """Everything that is wrong now, one trouble per cause and tenant; our own credential's failure once for all.

    Args:
        db: allwhere's database.
        late_after: how old the last good sync of a connected tenant may be.
    """
    found = [
        Trouble(row.cause, row.connection_id, row.account, f"{row.account}: {row.message}")
        for row in db.execute(_TROUBLES, {"reveals": REVEALS_PER_HOUR})
    ]
    found += _warnings(db, {(trouble.connection_id, trouble.cause) for trouble in found})
    found += [_lateness(line) for line in fleet(db, late_after=late_after) if line.late]
    found += [Trouble(cause, None, None, message) for cause, message in security_counts.excesses(db)]
    ours = [trouble for trouble in found if trouble.cause == OF_EVERY_TENANT]
    others = [trouble for trouble in found if trouble.cause != OF_EVERY_TENANT]
    return [Trouble(OF_EVERY_TENANT, None, None, _without_account(ours[0])), *others] if ours else others


def _warnings(db: Connection, said: Set[tuple[int | None, str]]) -> Iterator[Trouble]:
    """What checks of each tenant's last good sync warn of; the cause is the check's name."""
    for row in db.execute(_WARNINGS):
        for check, sentence in sorted(row.warnings.items()):
            if not any((row.connection_id, kind) in said for kind in SAID_BY.get(check, ())):
                message = f"{row.account}: {sentence} The check {check} in Dagster shows since when."
                yield Trouble(check, row.connection_id, row.account, message)


def _lateness(line: FleetLine) -> Trouble:
    since = (
        f"The list of the last good sync was read {line.last_good_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
        if line.last_good_at
        else "No sync has succeeded since the tenant was connected."
    )
    message = f"{line.account}: {since} See that schedule and queue are running, then sync the account by hand."
    return Trouble(NeedKind.LATE, line.connection_id, line.account, message)


def _without_account(trouble: Trouble) -> str:
    return trouble.message.removeprefix(f"{trouble.account}: ")


def record(db: Connection, found: Iterable[Trouble]) -> None:
    """Store the troubles that are new, and mark those cleared that are over."""
    listed = list(found)
    values = {
        "causes": [trouble.cause for trouble in listed],
        "connections": [trouble.connection_id for trouble in listed],
        "messages": [trouble.message for trouble in listed],
    }
    if listed:
        db.execute(_RAISE, values)
    db.execute(_CLEAR, {name: values[name] for name in ("causes", "connections")})


def untold(db: Connection) -> Sequence[Alert]:
    """The open alerts nobody was told of, the oldest first, locked until the transaction ends."""
    return [Alert(row.id, row.cause, row.message, row.account) for row in db.execute(_UNTOLD)]


def open_causes(db: Connection) -> dict[str, OpenCause]:
    """How many tenants each cause of a single tenant's trouble concerns now."""
    return {
        row.cause: OpenCause(row.tenants, None if row.told_at is None else row.now - row.told_at)
        for row in db.execute(_OPEN)
    }


def told_of(db: Connection) -> set[int | None]:
    """Connections whose open trouble people were told of; None among them for a trouble of every tenant."""
    query = sa.text("select connection_id from alerts where told_at is not null and cleared_at is null")
    return set(db.scalars(query))


def told(db: Connection, alert_ids: Iterable[int]) -> None:
    """People were told of these alerts."""
    db.execute(sa.text("update alerts set told_at = now() where id = any(:ids)"), {"ids": list(alert_ids)})
