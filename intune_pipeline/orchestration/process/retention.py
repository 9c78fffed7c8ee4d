"""Which of Dagster's old runs and reports may go.

Belongs here: choosing runs, and thinning out what a sensor reports all day, which belongs to no run. Does not belong here:
deleting runs (``jobs``), and retention of ticks, which Dagster does itself
(``dagster.yaml``). Dagster never deletes runs (dagster#33785), and deleting one takes its materializations along: a
partition's status hangs on the last good run, so that one stays however old it is.
"""

from datetime import datetime, timedelta

import dagster as dg
import sqlalchemy as sa
from dagster import DagsterRunStatus, RunsFilter
from dagster_postgres.event_log import PostgresEventLogStorage

from intune_pipeline.orchestration.partitions import PARTITION_TAG

FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
UNFINISHED = [status for status in DagsterRunStatus if status not in FINISHED]


def thin_out(instance: dg.DagsterInstance, asset: dg.AssetKey, *, whole_for: timedelta, keep_for: timedelta) -> int:
    """Keep a report an hour of what is older than `whole_for`, none older than `keep_for`; returns how many events went.

    Dagster never deletes what belongs to no run, and offers nothing that does.

    Args:
        instance: Dagster's database; on anything else than PostgreSQL nothing is deleted.
        asset: what is reported, with its checks.
        whole_for: age up to which every report stays.
        keep_for: age up to which one an hour stays.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, PostgresEventLogStorage):
        return 0
    ages = {"asset": asset.to_string(), "whole_for": whole_for, "keep_for": keep_for}
    with storage.index_connection() as db:
        return int(db.execute(_THIN_OUT, ages).scalar_one())


#: Of each hour the last one stays, and the newest in any case: the asset's state hangs on it.
_THIN_OUT = sa.text("""
    with reports as (
        select id, timestamp, row_number() over (partition by date_trunc('hour', timestamp) order by id desc) as nth,
               id = max(id) over () as is_newest
        from event_logs where asset_key = :asset and run_id = '' and dagster_event_type = 'ASSET_MATERIALIZATION'
    ),
    evaluations as (
        select evaluation_event_storage_id as id, create_timestamp as timestamp,
               row_number() over (partition by check_name, date_trunc('hour', create_timestamp) order by id desc) as nth,
               id = max(id) over (partition by check_name) as is_newest
        from asset_check_executions where asset_key = :asset and run_id = ''
    ),
    old as (
        select id from (table reports union all table evaluations) as both_kinds
        where not is_newest and id is not null
          and timestamp < timezone('utc', now()) - cast(:whole_for as interval)
          and (nth > 1 or timestamp < timezone('utc', now()) - cast(:keep_for as interval))
    ),
    executions as (delete from asset_check_executions where evaluation_event_storage_id in (select id from old) and run_id = ''),
    events as (delete from event_logs where id in (select id from old) and run_id = '' returning 1)
    select count(*) from events
""")


def old_runs(instance: dg.DagsterInstance, *, ended_before: datetime) -> tuple[list[str], set[str]]:
    """Ids of finished runs that may go, and of those as old that stay as the last good one of their tenant and job.

    Args:
        instance: Dagster's database.
        ended_before: the age limit, aware.
    """
    old = instance.get_run_records(RunsFilter(statuses=FINISHED, updated_before=ended_before))
    purposes = {
        (record.dagster_run.job_name, record.dagster_run.tags.get(PARTITION_TAG))
        for record in old
        if record.dagster_run.status is DagsterRunStatus.SUCCESS
    }
    last_good = {run_id for job, tenant in purposes for run_id in _last_good(instance, job, tenant)}
    ids = [record.dagster_run.run_id for record in old]
    return [run_id for run_id in ids if run_id not in last_good], last_good.intersection(ids)


def _last_good(instance: dg.DagsterInstance, job: str, tenant: str | None) -> list[str]:
    tags = {PARTITION_TAG: tenant} if tenant else {}
    filters = RunsFilter(job_name=job, tags=tags, statuses=[DagsterRunStatus.SUCCESS])
    return [run.run_id for run in instance.get_runs(filters, limit=1)]
