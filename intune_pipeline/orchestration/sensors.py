"""What Dagster looks at all day: requests to sync, runs that ended without a word, troubles to tell people of.

Belongs here: the loops and what they decide. Does not belong here: SQL (``inventory``), finding dead runs (``sync.reaping``),
sending messages (``sync.alerts``).
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from sqlalchemy import Engine

from intune_pipeline.domain.nouns import counted
from intune_pipeline.inventory import accounts, heartbeats, open_syncs, plans, sync_requests, sync_runs
from intune_pipeline.inventory.connections import tenants_of
from intune_pipeline.inventory.fleet import fleet
from intune_pipeline.inventory.sync_requests import SyncRequest
from intune_pipeline.orchestration.fleet import report
from intune_pipeline.orchestration.jobs import intune_plan, intune_sync
from intune_pipeline.orchestration.partitions import (
    PARTITION_TAG,
    PLAN_TAG,
    PRIORITY_TAG,
    REMINDED_TAG,
    SYNC_REQUEST_TAG,
    TENANT_TAG,
    TENANTS,
    TRIGGER_TAG,
    WILL_RETRY_TAG,
    changes,
    known_run_keys,
    missing,
    tenants,
)
from intune_pipeline.orchestration.process.retention import UNFINISHED
from intune_pipeline.orchestration.resources import Limits
from intune_pipeline.orchestration.schedules import DAILY_INTUNE_SYNC
from intune_pipeline.orchestration.sync import alerts, mails, reaping, stored_plans
from intune_pipeline.orchestration.sync.alerts import Notifier
from intune_pipeline.orchestration.sync.mails import Mailer
from intune_pipeline.orchestration.sync.ticks import lost_ticks
from intune_pipeline.orchestration.sync.upgrades import skipping_until_upgraded

#: A tick may last 60 seconds; the next one follows soon.
REQUESTS_PER_TICK = 50
#: People wait for these; the nightly runs do not mind.
MANUAL_PRIORITY = "10"
#: The daemon looks every five seconds; an interval of five would now and then miss a look by a hair.
SECONDS_BETWEEN_TICKS = 1
SECONDS_BETWEEN_WATCHES = 30
SECONDS_BETWEEN_MAILS = 60


def run_key(request_id: object) -> str:
    """The run key of a sync request: a UUID's, because Dagster never starts a key twice, even after a failure."""
    return f"sync-request:{request_id}"


def run_requests(waiting: Iterable[SyncRequest], known_run_keys: Collection[str]) -> list[dg.RunRequest]:
    """A run for every waiting request that has none yet."""
    return [
        dg.RunRequest(
            run_key=run_key(request.id),
            partition_key=request.account,
            tags={
                TRIGGER_TAG: request.trigger,
                SYNC_REQUEST_TAG: str(request.id),
                TENANT_TAG: request.tenant_id,
                PRIORITY_TAG: MANUAL_PRIORITY,
            },
        )
        for request in waiting
        if run_key(request.id) not in known_run_keys
    ]


@dg.sensor(
    job=intune_sync,
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns rows of sync_requests into runs; a request whose tenant is syncing joins that run.",
)
@skipping_until_upgraded
def manual_sync_requests(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run per waiting request.

    A request is marked started only once its run exists, so that a daemon that dies in between starts it after all;
    until then it is asked for at every tick, and its run key keeps Dagster from starting it twice.
    """
    with database.begin() as db:
        joined = open_syncs.join_running(db)
        waiting = sync_requests.pending(db, REQUESTS_PER_TICK)
    if not waiting:
        return dg.SkipReason(f"No request waits; {joined} joined a running sync." if joined else "No request waits.")
    known = known_run_keys(context.instance, [run_key(one.id) for one in waiting])
    with database.begin() as db:
        sync_requests.mark_started(db, [one.id for one in waiting if run_key(one.id) in known])
    new = missing(context.instance, (one.account for one in waiting))
    return dg.SensorResult(
        run_requests=run_requests(waiting, known),
        dynamic_partitions_requests=[tenants.build_add_request(new)] if new else [],
    )


@dg.sensor(
    job=intune_plan,
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns plans that were asked for into runs; one whose run has ended without a plan has failed.",
)
@skipping_until_upgraded
def plan_requests(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run per plan that was asked for; its run key keeps Dagster from starting it twice."""
    with database.connect() as db:
        waiting = plans.open_requests(db, REQUESTS_PER_TICK)
    if not waiting:
        return dg.SkipReason("Nobody waits for a plan.")
    states = {one.id: stored_plans.under_way(context.instance, one.id) for one in waiting}
    stored_plans.close_ended(database, (plan_id for plan_id, works in states.items() if works is False))
    new = [one for one in waiting if states[one.id] is None]
    unknown = missing(context.instance, (one.account for one in new))
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"plan:{one.id}",
                partition_key=one.account,
                tags={PLAN_TAG: str(one.id), TENANT_TAG: one.tenant_id, PRIORITY_TAG: MANUAL_PRIORITY},
            )
            for one in new
        ],
        dynamic_partitions_requests=[tenants.build_add_request(unknown)] if unknown else [],
    )


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process is gone, closes what ended runs left open, reminds Dagster of forgotten retries.",
)
@skipping_until_upgraded
def ended_runs(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
) -> dg.SensorResult | dg.SkipReason:
    """Find dead runs, and close syncs and requests whose run has ended.

    Not run status sensors: those see five runs a tick, none that were deleted, and a daemon that was down loses none
    here, because every look is at everything still open.
    """
    dead, cursor = find_dead(context.instance, database, context.cursor)
    for run in dead:
        context.instance.report_run_failed(run, reaping.death_sentence(run))
    reminded = remind(context.instance, datetime.now(UTC))
    closed = close_ended(context.instance, database)
    message = (
        f"{counted(len(dead), 'dead run')}, {counted(reminded, 'forgotten one')}; "
        f"{counted(closed, 'sync or request', 'syncs and requests')} closed."
    )
    return dg.SensorResult(skip_reason=dg.SkipReason(message), cursor=cursor)


def find_dead(instance: dg.DagsterInstance, engine: Engine, cursor: str | None) -> tuple[list[dg.DagsterRun], str]:
    """Runs that Dagster believes started and nobody works on, and what to remember until the next look."""
    with engine.connect() as db:
        locked = open_syncs.locked_accounts(db)
    started = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
    suspects = reaping.lockless(started, locked)
    dead, sightings = reaping.judge(suspects, reaping.sightings_from(cursor), datetime.now(UTC))
    return dead, reaping.cursor_of(sightings)


def remind(instance: dg.DagsterInstance, now: datetime) -> int:
    """Tell Dagster once more of crashed runs that it forgot to start over; returns how many.

    That is safe to repeat: Dagster starts none over that already was. What one reminder does not help is given up, so
    that nobody waits for it.
    """
    crashed = instance.get_run_records(
        RunsFilter(
            tags={WILL_RETRY_TAG: "true"}, statuses=[DagsterRunStatus.FAILURE], updated_after=now - reaping.MEMORY
        )
    )
    overdue = [one.dagster_run for one in crashed if reaping.is_overdue(one.dagster_run, one.update_timestamp, now)]
    for run in overdue:
        # By its own id: a run that is started over inherits the tags.
        if run.tags.get(REMINDED_TAG) == run.run_id:
            instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
        else:
            instance.report_run_failed(run, reaping.REMINDER)
            instance.add_run_tags(run.run_id, {REMINDED_TAG: run.run_id})
    return len(overdue)


def close_ended(instance: dg.DagsterInstance, engine: Engine) -> int:
    """Close syncs whose run has ended, and requests that no run serves any more; returns how many.

    A request stays open while its tenant's crashed run waits to be started over.
    """
    with engine.connect() as db:
        running = sync_runs.all_running(db)
    runs = _runs(instance, [sync.dagster_run_id for sync in running if sync.dagster_run_id])
    closed = 0
    for sync in running:
        run = runs.get(sync.dagster_run_id or "")
        if ended := reaping.ending(run):
            with engine.begin() as db:
                if run and reaping.is_started_over(run):
                    open_syncs.release(db, sync.id)
                closed += sync_runs.fail(db, sync.id, *ended)
    with engine.connect() as db:
        unserved = open_syncs.unserved(db)
    under_way = _accounts_under_way(instance, {request.account for request in unserved})
    with engine.begin() as db:
        for request in unserved:
            if request.sync_status is not None or request.account not in under_way:
                closed += sync_requests.mark_finished(db, request.id, reaping.request_error(request))
    return closed


def _runs(instance: dg.DagsterInstance, run_ids: list[str]) -> dict[str, dg.DagsterRun]:
    return {run.run_id: run for run in instance.get_runs(RunsFilter(run_ids=run_ids))} if run_ids else {}


def _accounts_under_way(instance: dg.DagsterInstance, accounts: Collection[str]) -> set[str]:
    """Of these accounts those with a run that is queued, works, or failed and is to be started over."""
    if not accounts:
        return set()
    partitions = {PARTITION_TAG: sorted(accounts)}
    working = instance.get_runs(RunsFilter(tags=partitions, statuses=UNFINISHED))
    crashed = instance.get_runs(
        RunsFilter(tags={**partitions, WILL_RETRY_TAG: "true"}, statuses=[DagsterRunStatus.FAILURE])
    )
    waiting = [run for run in crashed if reaping.is_started_over(run) and run.is_complete_and_waiting_to_retry]
    return {run.tags[PARTITION_TAG] for run in (*working, *waiting)}


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_WATCHES,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records what is wrong, tells people once per cause and tenant (INTUNE_ALERT_URLS), and reports the asset fleet.",
)
@skipping_until_upgraded
def troubles(
    context: dg.SensorEvaluationContext,
    database: dg.ResourceParam[Engine],
    notifier: dg.ResourceParam[Notifier],
    limits: Limits,
) -> dg.SensorResult | dg.SkipReason:
    """Say that the daemon lives, look for failures, late tenants, holds and warnings, tell people, and report ``fleet``."""
    with database.begin() as db:
        heartbeats.beat(db, heartbeats.DAEMON)
    ticks = lost_ticks(context.instance, DAILY_INTUNE_SYNC)
    found = alerts.watch(database, late_after=limits.late_after, notify=notifier.notify, also=ticks)
    with database.connect() as db:
        lines = fleet(db, late_after=limits.late_after)
    late = sum(line.late for line in lines)
    message = (
        f"{counted(len(found), 'trouble')}; {late} of {counted(len(lines), 'tenant')} late. {notifier.problem}".strip()
    )
    return dg.SensorResult(skip_reason=dg.SkipReason(message), asset_events=report(lines, limits.late_after))


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_MAILS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells customers' admins who asked for it by e-mail what waits for them (INTUNE_MAIL_URL).",
)
@skipping_until_upgraded
def customer_mails(
    context: dg.SensorEvaluationContext,  # noqa: ARG001 - Dagster gives it
    database: dg.ResourceParam[Engine],
    mailer: dg.ResourceParam[Mailer],
    limits: Limits,
) -> dg.SkipReason:
    """Send what is due; each person is told of each thing once, until it is over."""
    this = mails.Round(datetime.now(UTC), limits.sync_hour, limits.sync_time_zone, limits.late_after)
    sent = mails.tell(database, mailer, this)
    return dg.SkipReason(f"{counted(sent, 'message')} sent. {mailer.problem}".strip())


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the partitions the same as the database's tenants: connecting adds one, a key of no account goes.",
)
@skipping_until_upgraded
def tenant_partitions(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
) -> dg.SensorResult | dg.SkipReason:
    """Let Dagster's partitions follow the database, both ways."""
    known = set(context.instance.get_dynamic_partitions(TENANTS))
    with database.connect() as db:
        connected = {tenant.account for tenant in tenants_of(db) if tenant.tenant_id}
        slugs = known if known <= connected else set(accounts.slugs(db))
    if known == connected:
        return dg.SkipReason(f"{counted(len(known), 'partition')}, as many as tenants.")
    suspects = known - connected - slugs
    busy = _accounts_under_way(context.instance, suspects)
    add, delete = changes(known, connected, slugs, busy)
    said = [
        *([f"added {', '.join(add)}"] if add else []),
        *([f"deleted {', '.join(map(repr, delete))}, which are no account's"] if delete else []),
        *([f"{', '.join(map(repr, sorted(busy)))} are no account's and go when their runs have ended"] if busy else []),
    ]
    return dg.SensorResult(
        skip_reason=dg.SkipReason("; ".join(said) or "Nothing to add or delete."),
        dynamic_partitions_requests=[
            *([tenants.build_add_request(add)] if add else []),
            *([tenants.build_delete_request(delete)] if delete else []),
        ],
    )


#: All sensors of the project.
SENSORS = [manual_sync_requests, plan_requests, tenant_partitions, ended_runs, troubles, customer_mails]
