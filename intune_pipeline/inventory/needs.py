"""The facts from which follows what waits for a person of an account.

Belongs here: reading them, for one account or for all at once. Does not belong here: what is told (``domain.needs``).
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.drift import Drift, RunNumbers, drifts
from intune_pipeline.domain.needs import Need, NeedFacts, Waiting, needs
from intune_pipeline.domain.vocabulary import ConnectionStatus
from intune_pipeline.inventory import accounts


def of_account(db: Connection, account: str, *, late_after: timedelta) -> list[Need]:
    """What waits for a person of one account; empty for an account that never connected.

    Raises:
        UnknownAccountError: there is no such account.
    """
    accounts.get(db, account)
    return every(db, late_after=late_after, account=account).get(account, [])


def every(db: Connection, *, late_after: timedelta, account: str | None = None) -> dict[str, list[Need]]:
    """What waits for a person, by account; accounts whose link was ended by themselves wait for nothing.

    Args:
        db: any connection.
        late_after: how old the last good sync may be.
        account: only this one.
    """
    given = {"account": account}
    found = _drifts(db, given)
    waiting: dict[str, list[Need]] = {}
    for row in db.execute(_FACTS, given).mappings():
        facts = NeedFacts(
            now=row["now"],
            late_after=late_after,
            status=ConnectionStatus(row["status"]),
            status_message=row["status_message"],
            status_cause=row["status_cause"],
            status_since=row["status_since"],
            connected_at=row["connected_at"],
            last_good_at=row["last_good_at"],
            last_failure=row["last_failure"],
            failure_cause=row["failure_cause"],
            failed_at=row["failed_at"],
            endings=Waiting(row["endings"] or 0, row["endings_since"]),
            ending_reason=row["ending_reason"],
            people=Waiting(row["people"] or 0, row["people_since"]),
            unknown=Waiting(row["unknown"] or 0, row["unknown_since"]),
            unknown_models=row["unknown_models"] or 0,
            collisions=Waiting(row["collisions"] or 0, row["collisions_since"]),
            ownership=Waiting(row["ownership"] or 0, row["ownership_since"]),
            failed=Waiting(row["failed"] or 0, row["failed_since"]),
            webhooks_off=Waiting(row["webhooks_off"] or 0, row["webhooks_off_since"]),
            drifts=found.get(row["connection_id"], ()),
            warnings=row["warnings"] or {},
        )
        waiting[row["account"]] = needs(facts)
    return waiting


def _drifts(db: Connection, given: Mapping[str, Any]) -> dict[int, list[Drift]]:
    runs: dict[int, list[RunNumbers]] = defaultdict(list)
    for row in db.execute(_HISTORY, given):
        runs[row.connection_id].append(RunNumbers(row.at, row.devices, row.unknown, row.skipped))
    return {connection_id: drifts(history) for connection_id, history in runs.items()}


#: Two weeks, and the weeks around the same time last year.
_HISTORY = sa.text("""
    select r.connection_id, r.started_at as at, r.devices_listed as devices,
           coalesce((r.skipped_by_reason ->> 'unknown_type')::int, 0) as unknown, r.devices_skipped as skipped
    from sync_runs r join connections c on c.id = r.connection_id join accounts a on a.id = c.account_id
    where r.status = 'succeeded' and r.trigger <> 'undo' and r.list_complete
      and (cast(:account as text) is null or a.slug = :account)
      and (r.started_at > now() - interval '45 days'
           or r.started_at between now() - interval '410 days' and now() - interval '330 days')
    order by r.started_at
""")
_FACTS = sa.text("""
    with chosen as (
        select c.*, a.slug as account from connections c join accounts a on a.id = c.account_id
        where cast(:account as text) is null or a.slug = :account
    ),
    last_run as (
        select distinct on (r.connection_id) r.connection_id, r.status, r.error, r.cause, r.finished_at
        from sync_runs r join chosen c on c.id = r.connection_id
        where r.status <> 'running' and r.trigger <> 'undo' order by r.connection_id, r.started_at desc, r.id desc
    ),
    last_good as (
        select distinct on (r.connection_id) r.connection_id, r.id, coalesce(r.listed_at, r.started_at) as listed_at,
               r.warnings
        from sync_runs r join chosen c on c.id = r.connection_id
        where r.status = 'succeeded' and r.trigger <> 'undo'
        order by r.connection_id, r.finished_at desc
    ),
    devices as (
        select o.connection_id,
               count(*) filter (where o.outcome = 'failed') as failed,
               min(o.last_seen_at) filter (where o.outcome = 'failed') as failed_since,
               count(*) filter (where o.reason = 'serial_collision') as collisions,
               min(o.first_seen_at) filter (where o.reason = 'serial_collision') as collisions_since,
               count(*) filter (where o.reason = 'ownership_unknown') as ownership,
               min(o.first_seen_at) filter (where o.reason = 'ownership_unknown') as ownership_since,
               count(*) filter (where o.reason = 'unknown_type' and o.rule = 'none') as unknown,
               min(o.first_seen_at) filter (where o.reason = 'unknown_type' and o.rule = 'none') as unknown_since,
               count(distinct (o.manufacturer, o.model)) filter (where o.reason = 'unknown_type' and o.rule = 'none')
                   as unknown_models
        from device_outcomes o join last_good g on g.connection_id = o.connection_id and g.id = o.sync_run_id
        where o.outcome <> 'synced'
        group by o.connection_id
    ),
    people as (
        select connection_id, count(*) as people, min(created_at) as people_since
        from employee_holds where decision = 'waiting' group by connection_id
    ),
    endings as (
        select connection_id, jsonb_array_length(intune_device_ids) as endings, reason as ending_reason,
               created_at as endings_since
        from lifecycle_holds where decision = 'waiting'
    ),
    off as (
        select account_id, count(*) as webhooks_off, min(status_since) as webhooks_off_since
        from webhooks where status = 'switched_off' group by account_id
    )
    select c.id as connection_id, c.account, now() as now, c.status, c.status_message, c.status_cause, c.connected_at,
           coalesce(r.finished_at, c.created_at) as status_since, g.listed_at as last_good_at, g.warnings,
           case when r.status = 'failed' then coalesce(r.error, 'The last sync failed.') end as last_failure,
           case when r.status = 'failed' then r.cause end as failure_cause,
           case when r.status = 'failed' then r.finished_at end as failed_at,
           d.failed, d.failed_since, d.collisions, d.collisions_since, d.ownership, d.ownership_since, d.unknown,
           d.unknown_since, d.unknown_models, p.people, p.people_since, e.endings, e.ending_reason, e.endings_since,
           w.webhooks_off, w.webhooks_off_since
    from chosen c
    left join last_run r on r.connection_id = c.id
    left join last_good g on g.connection_id = c.id
    left join devices d on d.connection_id = c.id
    left join people p on p.connection_id = c.id
    left join endings e on e.connection_id = c.id
    left join off w on w.account_id = c.account_id
    order by c.account
""")
