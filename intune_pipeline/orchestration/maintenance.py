"""The daily tidying: old runs out of Dagster, frames of disconnected tenants out of the database.

Belongs here: what may be deleted, and the job that does it. Does not belong here: retention of ticks, which Dagster does
itself (``dagster.yaml``). Dagster never deletes runs, and deleting one takes its materializations along: a partition's
status hangs on the last good run, so that one stays however old it is.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from pydantic import Field
from sqlalchemy import Engine

from intune_pipeline.inventory import frames
from intune_pipeline.orchestration.failures import explained
from intune_pipeline.orchestration.partitions import PARTITION_TAG

FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


class MaintenanceConfig(dg.Config):
    """How much history to keep."""

    keep_days: int = Field(30, description="Runs that ended within so many days stay.", ge=1)


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


@dg.op(description="Deletes runs and compute logs older than keep_days; each tenant's last good run stays.")
@explained
def delete_old_runs(context: dg.OpExecutionContext, config: MaintenanceConfig) -> None:
    """Delete old runs from Dagster's database, with their compute logs."""
    instance = context.instance
    gone, kept = old_runs(instance, ended_before=datetime.now(UTC) - timedelta(days=config.keep_days))
    for run_id in gone:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    context.add_output_metadata({"runs_deleted": len(gone), "old_runs_kept": len(kept)})


@dg.op(description="Deletes the stored frames of disconnected tenants.")
@explained
def delete_stale_frames(context: dg.OpExecutionContext, database: dg.ResourceParam[Engine]) -> None:
    """Delete what disconnected tenants left in schema ``pipeline``."""
    with database.begin() as db:
        context.add_output_metadata({"frames_deleted": frames.delete_of_disconnected(db)})


@dg.job(executor_def=dg.in_process_executor, description="Deletes old runs and the frames of disconnected tenants.")
def maintenance() -> None:
    """Tidy up; both steps are safe to repeat."""
    delete_old_runs()
    delete_stale_frames()
