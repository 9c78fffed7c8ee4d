"""The jobs: a tenant's sync from end to end, and the daily tidying.

Belongs here: which assets and ops form a job, how its runs are tagged, the few lines of the tidying ops. Does not belong
here: what the assets do (``assets``), and which old runs may go (``process.retention``).
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from intune_pipeline.inventory import frames, retention
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.orchestration.fleet import FLEET
from intune_pipeline.orchestration.partitions import PARTITION_TAG, PLAN_TAG, REJUDGE, RETRY_STRATEGY_TAG, tenants
from intune_pipeline.orchestration.process.retention import old_runs, thin_out
from intune_pipeline.orchestration.resources import Keep, Limits
from intune_pipeline.orchestration.sync import stored_plans
from intune_pipeline.orchestration.sync.failures import explained
from intune_pipeline.orchestration.sync.session import OpenClient

INTUNE_SYNC = "intune_sync"
ASSET_GROUP = "intune"
REPORTS_WHOLE_FOR = timedelta(days=2)

#: One process for all steps of a tenant: parallelism comes from runs, and a process per step costs 2.5 CPU seconds.
intune_sync = dg.define_asset_job(
    INTUNE_SYNC,
    selection=dg.AssetSelection.groups(ASSET_GROUP),
    executor_def=dg.in_process_executor,
    tags={RETRY_STRATEGY_TAG: "ALL_STEPS"},
    description="Reads one tenant's Intune devices and reconciles the account's assets with them.",
)


@dg.op(description="Plans a sync as it would be now, and stores the plan; nothing of the inventory is written.")
@explained
def make_plan(
    context: dg.OpExecutionContext,
    tenant_database: dg.ResourceParam[Engine],
    microsoft: dg.ResourceParam[OpenClient],
    vault: dg.ResourceParam[Vault],
    limits: Limits,
) -> None:
    """Make the plan of the run's tags."""
    stored_plans.make(
        tenant_database,
        UUID(context.run.tags[PLAN_TAG]),
        context.run.tags[PARTITION_TAG],
        open_client=microsoft,
        vault=vault,
        details_refresh=limits.details_refresh,
    )


@dg.job(
    partitions_def=tenants,
    executor_def=dg.in_process_executor,
    description="Makes a plan that was asked for in table plans: what a sync of the tenant would do, for people to look at.",
)
def intune_plan() -> None:
    """One tenant's plan."""
    make_plan()


#: Reads the kept list only: changed rules are looked at without asking Microsoft, and the next sync goes by them.
rejudge_devices = dg.define_asset_job(
    REJUDGE,
    # An expression would load the parser of Dagster's selection language in every process.
    selection=dg.AssetSelection.assets("classified_devices"),
    executor_def=dg.in_process_executor,
    config={"ops": {"classified_devices": {"config": {"any_age": True}}}},
    description="Judges a tenant's kept list by the rules of now, without asking Microsoft, and shows which models the next "
    "sync will treat otherwise. Nothing is written to allwhere's tables.",
)


class MaintenanceConfig(dg.Config):
    """How much history to keep."""

    keep_days: int = Field(30, description="Runs that ended within so many days stay.", ge=1)


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


@dg.op(description="Of the reports of fleet that are older than two days keeps one an hour, none older than keep_days.")
@explained
def thin_out_reports(context: dg.OpExecutionContext, config: MaintenanceConfig) -> None:
    """Thin out what the sensor ``troubles`` reports every half minute."""
    keep_for = timedelta(days=config.keep_days)
    deleted = thin_out(context.instance, FLEET, whole_for=REPORTS_WHOLE_FOR, keep_for=keep_for)
    context.add_output_metadata({"events_deleted": deleted})


@dg.op(description="Deletes the stored frames of disconnected tenants.")
@explained
def delete_stale_frames(context: dg.OpExecutionContext, database: dg.ResourceParam[Engine]) -> None:
    """Delete what disconnected tenants left in schema ``pipeline``."""
    with database.begin() as db:
        context.add_output_metadata({"frames_deleted": frames.delete_of_disconnected(db)})


@dg.op(description="Deletes holds, outcomes, audit entries and sealed codes that are older than INTUNE_KEEP_… says.")
@explained
def delete_what_is_kept_no_longer(
    context: dg.OpExecutionContext, database: dg.ResourceParam[Engine], keep: Keep
) -> None:
    """Delete what nobody needs any more; see `inventory.retention`."""
    with database.begin() as db:
        context.add_output_metadata(dict(retention.forget_old(db, keep.retention)))


@dg.job(
    executor_def=dg.in_process_executor,
    description="Deletes old runs, the frames of disconnected tenants, and what is kept no longer.",
)
def maintenance() -> None:
    """Tidy up; every step is safe to repeat."""
    delete_old_runs()
    thin_out_reports()
    delete_stale_frames()
    delete_what_is_kept_no_longer()
