"""The nightly tick: which tenants get a run, and the daily tidying.

Belongs here: when, and for whom. Does not belong here: what a run does. Deciding is a pure function of the tenants and
the day; the schedule around it reads the database and the clock.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import NamedTuple

import dagster as dg
from sqlalchemy import Engine

from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.vocabulary import ConnectionStatus, Trigger
from intune_pipeline.inventory.connections import Tenant, tenants_of
from intune_pipeline.orchestration.jobs import intune_sync, maintenance
from intune_pipeline.orchestration.partitions import PRIORITY_TAG, TENANT_TAG, TRIGGER_TAG, add_missing, known_run_keys

DAILY_INTUNE_SYNC = "daily_intune_sync"
#: Connections that are tried every night. Those in trouble get one probing run a day: it either syncs, which sets them
#: connected again, or ends in the sentence that says what is wrong.
TRIED_NIGHTLY = frozenset({ConnectionStatus.CONNECTED, ConnectionStatus.NEEDS_CONSENT, ConnectionStatus.ERROR})
NIGHTLY_PRIORITY = "0"
MAINTENANCE_MINUTE = 30


class Night(NamedTuple):
    """What one nightly tick does: a run request per tenant, and the accounts left out with their status."""

    run_requests: list[dg.RunRequest]
    skipped: dict[str, str]


def run_key(account: str, day: date) -> str:
    """The run key of a tenant's nightly run: one per local day, whatever hour its tick comes at."""
    return f"{account}:{day.isoformat()}"


def plan_night(tenants: Iterable[Tenant], day: date, known_run_keys: Collection[str] = frozenset()) -> Night:
    """One run request per tenant to be tried that has no run of this day yet.

    Dagster compares a schedule's run keys among the runs of one tick only: without `known_run_keys` moving the hour to a
    later one would sync everybody a second time that day.

    Args:
        tenants: all.
        day: in the schedule's time zone.
        known_run_keys: of the runs that exist.
    """
    night = Night([], {})
    for tenant in tenants:
        if tenant.status not in TRIED_NIGHTLY or tenant.tenant_id is None:
            night.skipped[tenant.account] = tenant.status
            continue
        if run_key(tenant.account, day) in known_run_keys:
            night.skipped[tenant.account] = "has its run of this day"
            continue
        night.run_requests.append(
            dg.RunRequest(
                run_key=run_key(tenant.account, day),
                partition_key=tenant.account,
                tags={
                    TRIGGER_TAG: Trigger.SCHEDULE.value,
                    PRIORITY_TAG: NIGHTLY_PRIORITY,
                    TENANT_TAG: tenant.tenant_id or "",
                },
            )
        )
    return night


def build_schedules(*, hour: int, time_zone: str) -> list[dg.ScheduleDefinition]:
    """The schedules.

    Args:
        hour: of the day, when the tenants are synced.
        time_zone: an IANA name.
    """

    @dg.schedule(
        name=DAILY_INTUNE_SYNC,
        job=intune_sync,
        cron_schedule=f"0 {hour} * * *",
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once a day, one run for every connected tenant; the run queue spreads the load.",
    )
    def daily_intune_sync(
        context: dg.ScheduleEvaluationContext, database: dg.ResourceParam[Engine]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        day = context.scheduled_execution_time.date()
        with database.connect() as db:
            tenants = tenants_of(db)
        known = known_run_keys(context.instance, [run_key(tenant.account, day) for tenant in tenants])
        night = plan_night(tenants, day, known)
        add_missing(context.instance, {str(request.partition_key) for request in night.run_requests})
        left_out = ", ".join(f"{account} ({status})" for account, status in sorted(night.skipped.items()))
        message = f"{counted(len(night.run_requests), 'tenant')} to sync; left out: {left_out or 'none'}."
        context.log.info(message)
        return night.run_requests or dg.SkipReason(message)

    daily_maintenance = dg.ScheduleDefinition(
        name="daily_maintenance",
        job=maintenance,
        cron_schedule=f"{MAINTENANCE_MINUTE} {(hour + 12) % 24} * * *",
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes old runs and the frames of disconnected tenants, twelve hours away from the syncs.",
    )
    return [daily_intune_sync, daily_maintenance]
