"""Whether what starts the syncs is alive, seen from outside: daemon, schedules, sensors, ticks, queue, the last night.

Belongs here: what is read of Dagster's records and when it is too old. Does not belong here: printing it (``cli.doctor``,
``cli.probe``), and what the daemon itself watches (``sensors``), which says nothing when the daemon is dead.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick
from sqlalchemy import Engine

from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.vocabulary import ConnectionStatus
from intune_pipeline.inventory import alerts
from intune_pipeline.inventory.alerts import OF_EVERY_TENANT
from intune_pipeline.inventory.fleet import FleetLine, fleet

#: Every thread of a daemon writes one each 30 seconds, whatever it is busy with; Dagster's own limit is half an hour.
HEARTBEAT_MISSED: Final = timedelta(seconds=45)
#: One thread may be busy for long, with a tick over many tenants.
THREAD_SILENT: Final = timedelta(minutes=5)
SENSOR_SILENT: Final = timedelta(minutes=3)
#: A tick over a thousand tenants takes a minute.
TICK_GRACE: Final = timedelta(minutes=5)
QUEUE_AGE: Final = timedelta(hours=2)
LOCATION: Final = "intune_pipeline"
#: By name, because a look from outside every half minute should not load what they do.
NIGHTLY: Final = "daily_intune_sync"
SCHEDULES: Final = (NIGHTLY, "daily_maintenance")
SENSORS: Final = (
    "manual_sync_requests",
    "plan_requests",
    "tenant_partitions",
    "ended_runs",
    "troubles",
    "customer_mails",
)
DAEMON: Final = "daemon"


class Sign(StrEnum):
    """How something is doing."""

    GOOD = "good"
    NOT_YET = "not_yet"
    """It has not begun, as in a new installation."""
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line about what starts the syncs.

    Attributes:
        name: what was looked at.
        sign: how it is doing.
        says: one sentence without the name: what was seen, and what to do where it is bad.
    """

    name: str
    sign: Sign
    says: str


def findings(
    instance: dg.DagsterInstance, engine: Engine, *, due: datetime, late_after: timedelta, now: datetime
) -> Iterator[Finding]:
    """Everything about what starts the syncs, a line each.

    Args:
        instance: Dagster's database.
        engine: allwhere's database.
        due: when the nightly tick was last due; see `last_due`.
        late_after: how old the last good sync of a tenant may be.
        now: the time of the look, aware.
    """
    yield of_daemon(instance, now)
    states = _states(instance)
    yield _of_switches(states.values())
    nightly = _of_nightly_tick(instance, states.get(NIGHTLY), due, now)
    yield nightly
    yield _of_sensors(instance, [states[name] for name in SENSORS if name in states], now)
    yield _of_queue(instance, now)
    yield _of_storage(instance)
    with engine.connect() as db:
        yield of_night(nightly, fleet(db, late_after=late_after), alerts.told_of(db), due)


def last_due(hour: int, time_zone: str, now: datetime) -> datetime:
    """When the nightly tick was last due, in that time zone."""
    local = now.astimezone(ZoneInfo(time_zone))
    today = datetime.combine(local.date(), time(hour), tzinfo=local.tzinfo)
    if today <= local:
        return today
    return datetime.combine(local.date() - timedelta(days=1), time(hour), tzinfo=local.tzinfo)


def of_daemon(instance: dg.DagsterInstance, now: datetime) -> Finding:
    """Whether the daemon and each of its threads gave a sign of life lately."""
    beats = instance.get_daemon_heartbeats()
    ages = {kind: now - datetime.fromtimestamp(beat.timestamp, UTC) for kind, beat in beats.items()}
    if not ages:
        return Finding(
            "daemon", Sign.NOT_YET, "has not run yet; nothing is synced by itself before: dagster-daemon run"
        )
    youngest = min(ages.values())
    if youngest > HEARTBEAT_MISSED:
        says = (
            f"no heartbeat for {_span(youngest)}: it is dead or cut off from its database; nothing is synced by itself"
        )
        return Finding(DAEMON, Sign.BAD, says)
    required = instance.get_required_daemon_types()
    silent = [f"{kind} ({_span(ages[kind])})" for kind in required if kind in ages and ages[kind] > THREAD_SILENT]
    if silent:
        return Finding(DAEMON, Sign.BAD, f"lives, but these parts of it are silent: {', '.join(silent)}; restart it")
    failing = [kind for kind in required if kind in beats and beats[kind].errors]
    if failing:
        return Finding(DAEMON, Sign.BAD, f"lives, but these parts of it fail: {', '.join(failing)}; its log says why")
    return Finding(DAEMON, Sign.GOOD, f"last heartbeat {_span(youngest)} ago")


def _states(instance: dg.DagsterInstance) -> dict[str, InstigatorState]:
    """What Dagster stored of this code location's schedules and sensors, by name."""
    return {
        state.instigator_name: state
        for state in instance.all_instigator_state()
        if state.origin.repository_origin.code_location_origin.location_name == LOCATION
    }


def _of_switches(states: Iterable[InstigatorState]) -> Finding:
    off = sorted(
        state.instigator_name
        for state in states
        if state.instigator_name in {*SCHEDULES, *SENSORS} and state.status is InstigatorStatus.STOPPED
    )
    if off:
        says = f"switched off: {', '.join(off)}; switch on in the UI under Automation"
        return Finding("schedules and sensors", Sign.BAD, says)
    return Finding("schedules and sensors", Sign.GOOD, "none is switched off")


def _of_nightly_tick(
    instance: dg.DagsterInstance, state: InstigatorState | None, due: datetime, now: datetime
) -> Finding:
    name = "nightly tick"
    tick = _last_tick(instance, state)
    if tick is None or datetime.fromtimestamp(tick.timestamp, UTC) < due:
        began = _began(state)
        if began is None or began > due:
            return Finding(name, Sign.NOT_YET, "none was due since the schedule is there")
        if now - due < TICK_GRACE:
            return Finding(name, Sign.GOOD, f"due since {due:%H:%M %Z}, about to come")
        return Finding(name, Sign.BAD, f"was due at {due:%Y-%m-%d %H:%M %Z} and did not come; see that the daemon runs")
    at = datetime.fromtimestamp(tick.timestamp, UTC)
    if tick.is_failure:
        says = f"that of {at:%Y-%m-%d %H:%M} UTC failed {tick.failure_count} times; its page in Dagster says why"
        return Finding(name, Sign.BAD, says)
    return Finding(name, Sign.GOOD, f"{at:%Y-%m-%d %H:%M} UTC, {counted(len(tick.run_ids), 'run')} asked for")


def _of_sensors(instance: dg.DagsterInstance, states: Sequence[InstigatorState], now: datetime) -> Finding:
    name = "sensors"
    ticks = {state.instigator_name: _last_tick(instance, state) for state in states}
    ages = {one: now - datetime.fromtimestamp(tick.timestamp, UTC) for one, tick in ticks.items() if tick}
    if not ages:
        return Finding(name, Sign.NOT_YET, "none has looked yet")
    failing = [one for one, tick in ticks.items() if tick and tick.is_failure]
    if failing:
        return Finding(name, Sign.BAD, f"the last look failed of {', '.join(failing)}; its page in Dagster says why")
    silent = [f"{one} ({_span(age)} ago)" for one, age in ages.items() if age > SENSOR_SILENT]
    if silent:
        return Finding(name, Sign.BAD, f"looked too long ago: {', '.join(silent)}; see daemon and code server")
    return Finding(name, Sign.GOOD, f"each looked within {_span(max(ages.values()))}")


def _of_queue(instance: dg.DagsterInstance, now: datetime) -> Finding:
    waiting = RunsFilter(statuses=[DagsterRunStatus.QUEUED])
    count = instance.get_runs_count(waiting)
    oldest = instance.get_run_records(waiting, limit=1, ascending=True)
    if not oldest:
        return Finding("queue", Sign.GOOD, "empty")
    age = now - oldest[0].create_timestamp.astimezone(UTC)
    says = f"{counted(count, 'run waits', 'runs wait')}, the oldest for {_span(age)}"
    if age > QUEUE_AGE:
        return Finding("queue", Sign.BAD, f"{says}; see that runs end, and max_concurrent_runs in dagster.yaml")
    return Finding("queue", Sign.GOOD, says)


def _of_storage(instance: dg.DagsterInstance) -> Finding:
    found, head = instance.event_log_storage.alembic_version() or (None, None)
    if found != head:
        return Finding("Dagster's migrations", Sign.BAD, "pending; run: intune-pipeline db upgrade")
    return Finding("Dagster's migrations", Sign.GOOD, "up to date")


def of_night(nightly: Finding, lines: Iterable[FleetLine], told: Collection[int | None], due: datetime) -> Finding:
    """Whether the last night is whole: every connected tenant synced since it began, or people told why not.

    Args:
        nightly: what was found about its tick.
        lines: every tenant.
        told: connections whose trouble people were told of, None for a trouble of every tenant.
        due: when it began.
    """
    name = "last night"
    if nightly.sign is not Sign.GOOD:
        return Finding(name, nightly.sign, "not whole: its tick did not come")
    expected = [
        line
        for line in lines
        if line.status == ConnectionStatus.CONNECTED and line.connected_at and line.connected_at < due
    ]
    synced = [line for line in expected if line.last_good_at and line.last_good_at >= due]
    silent = [
        line.account
        for line in expected
        if line not in synced
        and line.connection_id not in told
        and not (line.cause == OF_EVERY_TENANT and None in told)
    ]
    says = f"{len(synced)} of {len(expected)} connected tenants synced since {due:%Y-%m-%d %H:%M %Z}"
    if silent:
        shown = ", ".join(silent[:10]) + (f" and {len(silent) - 10} more" if silent[10:] else "")
        return Finding(name, Sign.NOT_YET, f"{says}; not yet, and nobody told why: {shown}")
    rest = len(expected) - len(synced)
    return Finding(name, Sign.GOOD, f"{says}; people were told of the {rest} others" if rest else says)


def _last_tick(instance: dg.DagsterInstance, state: InstigatorState | None) -> InstigatorTick | None:
    if state is None:
        return None
    return next(iter(instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)), None)


def _began(state: InstigatorState | None) -> datetime | None:
    """When Dagster first looked after a schedule."""
    began = getattr(state.instigator_data, "start_timestamp", None) if state else None
    return datetime.fromtimestamp(began, UTC) if began else None


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
