"""All tenants at once: how each is doing, and the numbers of all together.

Belongs here: the one query and its sums. Does not belong here: how they are shown (``cli.fleet``, ``orchestration.fleet``,
``portal.metrics``), and what people are told (``alerts``).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import sqlalchemy as sa
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class FleetLine:
    """One tenant in the operator's overview.

    Attributes:
        account: the account's slug.
        connection_id: the connection's row.
        status: the connection's.
        connected_at: when it first worked.
        late: whether it is connected, and the list of its last good sync (or its connecting) is too long ago.
        last_good_at: when the list of the last sync that succeeded was read.
        age_hours: hours since then.
        duration_seconds: how long that sync took.
        devices: devices it listed.
        synced: of these have an asset.
        unknown: of these are of an unknown type.
        unknown_share: the same as a share, 0 to 1.
        requests: requests it sent to Graph.
        throttled: of these were answered 429.
        employee_holds: look-alikes waiting for a decision.
        lifecycle_holds: lifecycle ends waiting for a decision, in devices.
        cause: stored name of the cause of trouble: the connection's, else the last run's when that failed.
        trouble: the same as a sentence.
        dagster_run_id: Dagster's id of the last run that ended.
    """

    account: str
    connection_id: int
    status: str
    connected_at: datetime | None
    late: bool
    last_good_at: datetime | None
    age_hours: float | None
    duration_seconds: float | None
    devices: int | None
    synced: int | None
    unknown: int | None
    unknown_share: float | None
    requests: int | None
    throttled: int | None
    employee_holds: int
    lifecycle_holds: int
    cause: str | None
    trouble: str | None
    dagster_run_id: str | None

    @property
    def is_in_trouble(self) -> bool:
        """Whether somebody should look at it."""
        return self.late or self.cause is not None


@dataclass(frozen=True, slots=True)
class FleetTotals:
    """The numbers of all tenants together, of each tenant's last good sync.

    Attributes:
        tenants: how many there are, whatever their state.
        by_status: the same by the connection's status.
        late: tenants that are late.
        in_trouble: tenants that are late or have a cause of trouble.
        devices: devices listed.
        synced: devices that have an asset.
        unknown_share: share of the listed devices whose type is unknown, 0 to 1.
        requests: requests sent to Graph.
        throttled: of these were answered 429.
        median_seconds: how long half of the syncs took at most; 0 without any.
        longest_seconds: how long the longest took; 0 without any.
        holds: employees and devices that wait for a decision.
    """

    tenants: int
    by_status: dict[str, int]
    late: int
    in_trouble: int
    devices: int
    synced: int
    unknown_share: float
    requests: int
    throttled: int
    median_seconds: float
    longest_seconds: float
    holds: int


def fleet(db: Connection, *, late_after: timedelta) -> list[FleetLine]:
    """Every tenant in one query, by account.

    Args:
        db: a connection that sees every account.
        late_after: how old the list of the last good sync may be.
    """
    return [FleetLine(**row) for row in db.execute(_FLEET, {"late_after": late_after}).mappings()]


def totals(lines: Iterable[FleetLine]) -> FleetTotals:
    """The numbers of all these tenants together."""
    tenants = list(lines)
    durations = [line.duration_seconds for line in tenants if line.duration_seconds is not None]
    devices = sum(line.devices or 0 for line in tenants)
    return FleetTotals(
        tenants=len(tenants),
        by_status=dict(Counter(line.status for line in tenants)),
        late=sum(line.late for line in tenants),
        in_trouble=sum(line.is_in_trouble for line in tenants),
        devices=devices,
        synced=sum(line.synced or 0 for line in tenants),
        unknown_share=round(sum(line.unknown or 0 for line in tenants) / devices, 4) if devices else 0.0,
        requests=sum(line.requests or 0 for line in tenants),
        throttled=sum(line.throttled or 0 for line in tenants),
        median_seconds=round(median(durations), 1) if durations else 0.0,
        longest_seconds=max(durations, default=0.0),
        holds=sum(line.employee_holds + line.lifecycle_holds for line in tenants),
    )


_FLEET = sa.text("""
    select a.slug as account, c.id as connection_id, c.status, c.connected_at,
           c.status = 'connected' and coalesce(
               coalesce(good.listed_at, good.started_at, c.connected_at) < now() - cast(:late_after as interval), false
           ) as late,
           coalesce(good.listed_at, good.started_at) as last_good_at,
           round(extract(epoch from clock_timestamp() - coalesce(good.listed_at, good.started_at)) / 3600, 1)::float
               as age_hours,
           round(extract(epoch from good.finished_at - good.started_at), 1)::float as duration_seconds,
           good.devices_listed as devices, good.devices_synced as synced,
           coalesce((good.skipped_by_reason ->> 'unknown_type')::int, 0) as unknown,
           round(coalesce((good.skipped_by_reason ->> 'unknown_type')::numeric, 0)
                 / nullif(good.devices_listed, 0), 4)::float as unknown_share,
           good.requests, good.throttled,
           coalesce(employees.waiting, 0) as employee_holds, coalesce(lifecycle.waiting, 0) as lifecycle_holds,
           coalesce(c.status_cause, newest.cause) as cause, coalesce(c.status_message, newest.error) as trouble,
           newest.dagster_run_id
    from connections c
    join accounts a on a.id = c.account_id
    left join lateral (
        select * from sync_runs r where r.connection_id = c.id and r.status = 'succeeded' and r.trigger <> 'undo'
        order by r.finished_at desc limit 1
    ) good on true
    left join lateral (
        select r.cause, r.error, r.dagster_run_id from sync_runs r
        where r.connection_id = c.id and r.status <> 'running' and r.trigger <> 'undo'
        order by r.started_at desc, r.id desc limit 1
    ) newest on true
    left join (
        select connection_id, count(*) as waiting from employee_holds where decision = 'waiting' group by connection_id
    ) employees on employees.connection_id = c.id
    left join (
        select connection_id, sum(jsonb_array_length(intune_device_ids))::int as waiting
        from lifecycle_holds where decision = 'waiting' group by connection_id
    ) lifecycle on lifecycle.connection_id = c.id
    order by a.slug
""")
