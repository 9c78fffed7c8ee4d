"""The nightly tick: which tenants get a run, and the daily tidying.

Belongs here: when, and for whom. Does not belong here: what a run does. Deciding is a pure function of the tenants and
the day; the schedule around it reads the database and the clock.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import dagster as dg
from sqlalchemy import Engine

from intune_pipeline.inventory.connections import Tenant, tenants_of
from intune_pipeline.orchestration.jobs import intune_sync
from intune_pipeline.orchestration.maintenance import maintenance
from intune_pipeline.orchestration.partitions import PRIORITY_TAG, TENANT_TAG, TRIGGER_TAG, add_missing
from intune_pipeline.settings import Settings

#: Connections that are tried every night. Those in trouble get one probing run a day: it either syncs, which sets them
#: connected again, or ends in the sentence that says what is wrong.
TRIED_NIGHTLY = frozenset({"connected", "needs_consent", "error"})
NIGHTLY_PRIORITY = "0"
MAINTENANCE_MINUTE = 30


class Night(NamedTuple):
    """What one nightly tick does: a run request per tenant, and the accounts left out with their status."""

    run_requests: list[dg.RunRequest]
    skipped: dict[str, str]


def plan_night(tenants: Iterable[Tenant], day: date) -> Night:
    """One run request per tenant to be tried, with a run key per tenant and day.

    A tick that comes late or twice asks for the same keys and so starts nothing twice.
    """
    night = Night([], {})
    for tenant in tenants:
        if tenant.status not in TRIED_NIGHTLY or tenant.tenant_id is None:
            night.skipped[tenant.account] = tenant.status
            continue
        night.run_requests.append(
            dg.RunRequest(
                run_key=f"{tenant.account}:{day.isoformat()}",
                partition_key=tenant.account,
                tags={
                    TRIGGER_TAG: "schedule",
                    PRIORITY_TAG: NIGHTLY_PRIORITY,
                    TENANT_TAG: tenant.tenant_id or "",
                },
            )
        )
    return night


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules, at the hour and in the time zone of the settings."""

    @dg.schedule(
        name="daily_intune_sync",
        job=intune_sync,
        cron_schedule=f"0 {settings.intune_sync_hour} * * *",
        execution_timezone=settings.intune_sync_time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once a day, one run for every connected tenant; the run queue spreads the load.",
    )
    def daily_intune_sync(
        context: dg.ScheduleEvaluationContext, database: dg.ResourceParam[Engine]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        with database.connect() as db:
            night = plan_night(tenants_of(db), context.scheduled_execution_time.date())
        add_missing(context.instance, {str(request.partition_key) for request in night.run_requests})
        left_out = ", ".join(f"{account} ({status})" for account, status in sorted(night.skipped.items()))
        message = f"{len(night.run_requests)} tenants to sync; left out: {left_out or 'none'}."
        context.log.info(message)
        return night.run_requests or dg.SkipReason(message)

    daily_maintenance = dg.ScheduleDefinition(
        name="daily_maintenance",
        job=maintenance,
        cron_schedule=f"{MAINTENANCE_MINUTE} {(settings.intune_sync_hour + 12) % 24} * * *",
        execution_timezone=settings.intune_sync_time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes old runs and the frames of disconnected tenants, twelve hours away from the syncs.",
    )
    return [daily_intune_sync, daily_maintenance]
