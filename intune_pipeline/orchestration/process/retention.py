"""Which of Dagster's old runs may go.

Belongs here: choosing. Does not belong here: deleting (``jobs``), and retention of ticks, which Dagster does itself
(``dagster.yaml``). Dagster never deletes runs (dagster#33785), and deleting one takes its materializations along: a
partition's status hangs on the last good run, so that one stays however old it is.
"""

from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from intune_pipeline.orchestration.partitions import PARTITION_TAG

FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
UNFINISHED = [status for status in DagsterRunStatus if status not in FINISHED]


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
