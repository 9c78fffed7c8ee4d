"""Whether what starts the syncs is alive: read of Dagster's records, so the records are what is set here."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo

from intune_pipeline.inventory.fleet import FleetLine
from intune_pipeline.orchestration.process import pulse
from intune_pipeline.orchestration.process.pulse import Finding, Sign, findings, last_due, of_daemon, of_night
from intune_pipeline_tests.orchestration.conftest import ORIGIN, World

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DUE = datetime(2026, 3, 2, 5, tzinfo=UTC)
GOOD_TICK = Finding("nightly tick", Sign.GOOD, "")


@pytest.fixture
def instance(instance_on_disk: dg.DagsterInstance) -> dg.DagsterInstance:
    """Dagster on a disk: the one in memory keeps no ticks."""
    return instance_on_disk


def beat(instance: dg.DagsterInstance, age: float, kinds: list[str] | None = None, error: str = "") -> None:
    for kind in kinds or list(instance.get_required_daemon_types()):
        errors = [SerializableErrorInfo(error, [], None)] if error else []
        instance.add_daemon_heartbeat(DaemonHeartbeat(NOW.timestamp() - age, kind, "daemon", errors))


def state_of(
    instance: dg.DagsterInstance,
    name: str,
    status: InstigatorStatus = InstigatorStatus.RUNNING,
    began: datetime = DUE - timedelta(days=9),
    location: str = "intune_pipeline",
) -> InstigatorState:
    is_schedule = name in pulse.SCHEDULES
    return instance.add_instigator_state(
        InstigatorState(
            RemoteInstigatorOrigin(
                RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__"), name
            ),
            InstigatorType.SCHEDULE if is_schedule else InstigatorType.SENSOR,
            status,
            ScheduleInstigatorData("0 5 * * *", began.timestamp()) if is_schedule else SensorInstigatorData(),
        )
    )


def tick(
    instance: dg.DagsterInstance, state: InstigatorState, at: datetime, status: TickStatus = TickStatus.SUCCESS
) -> None:
    instance.create_tick(
        TickData(
            state.instigator_origin_id, state.instigator_name, state.instigator_type, status, at.timestamp(),
            error=SerializableErrorInfo("away", [], None) if status is TickStatus.FAILURE else None,
            failure_count=int(status is TickStatus.FAILURE), run_ids=[], selector_id=state.selector_id,
        )
    )  # fmt: skip


def found(world: World, now: datetime = NOW) -> dict[str, tuple[Sign, str]]:
    lines = findings(world.instance, world.engine, due=DUE, late_after=timedelta(hours=26), now=now)
    return {one.name: (one.sign, one.says) for one in lines}


def test_what_is_watched_are_all_schedules_and_sensors(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    assert {one.name for one in repository.schedule_defs} == set(pulse.SCHEDULES)
    running = {one.name for one in repository.sensor_defs if one.default_status is dg.DefaultSensorStatus.RUNNING}
    assert running == set(pulse.SENSORS)


def test_in_a_new_installation_nothing_is_wrong_and_nothing_works_yet(world: World) -> None:
    signs = {name: sign for name, (sign, _) in found(world).items()}
    assert Sign.BAD not in signs.values()
    assert signs["daemon"] is signs["nightly tick"] is signs["sensors"] is Sign.NOT_YET


def test_a_daemon_is_dead_within_a_minute_of_its_last_heartbeat(instance: dg.DagsterInstance) -> None:
    beat(instance, 44)
    assert of_daemon(instance, NOW).sign is Sign.GOOD
    dead = of_daemon(instance, NOW + timedelta(seconds=15))
    assert dead.sign is Sign.BAD
    assert "no heartbeat for 59 s" in dead.says


def test_a_thread_may_be_busy_for_minutes_and_then_is_named(instance: dg.DagsterInstance) -> None:
    beat(instance, 10)
    beat(instance, 200, ["SCHEDULER"])
    assert of_daemon(instance, NOW).sign is Sign.GOOD
    beat(instance, 400, ["SENSOR"])
    assert of_daemon(instance, NOW).says == "lives, but these parts of it are silent: SENSOR (6 min); restart it"


def test_a_thread_that_fails_is_named_and_its_error_is_not_shown(instance: dg.DagsterInstance) -> None:
    beat(instance, 10)
    beat(instance, 10, ["SCHEDULER"], error="postgresql://user:hush@host")
    says = of_daemon(instance, NOW).says
    assert "SCHEDULER" in says
    assert "hush" not in says


def test_what_is_switched_off_is_named(world: World) -> None:
    state_of(world.instance, "daily_intune_sync", InstigatorStatus.STOPPED)
    state_of(world.instance, "troubles", InstigatorStatus.STOPPED)
    state_of(world.instance, "ended_runs", InstigatorStatus.DECLARED_IN_CODE)
    state_of(world.instance, "manual_sync_requests", InstigatorStatus.STOPPED, location="an_older_name")
    sign, says = found(world)["schedules and sensors"]
    assert (sign, says.split(";")[0]) == (Sign.BAD, "switched off: daily_intune_sync, troubles")


@pytest.mark.parametrize(
    ("at", "status", "now", "sign"),
    [
        (DUE, TickStatus.SUCCESS, NOW, Sign.GOOD),
        (DUE, TickStatus.SKIPPED, NOW, Sign.GOOD),
        (DUE, TickStatus.FAILURE, NOW, Sign.BAD),
        (DUE - timedelta(days=1), TickStatus.SUCCESS, NOW, Sign.BAD),
        (DUE - timedelta(days=1), TickStatus.SUCCESS, DUE + timedelta(minutes=1), Sign.GOOD),
    ],
)
def test_the_nightly_tick_must_have_come(
    world: World, at: datetime, status: TickStatus, now: datetime, sign: Sign
) -> None:
    tick(world.instance, state_of(world.instance, pulse.NIGHTLY), at, status)
    assert found(world, now)["nightly tick"][0] is sign


def test_a_schedule_that_began_after_the_hour_is_not_missed(world: World) -> None:
    state_of(world.instance, pulse.NIGHTLY, began=DUE + timedelta(hours=1))
    assert found(world)["nightly tick"][0] is Sign.NOT_YET
    state_of_old = found(world, NOW)["last night"]
    assert state_of_old[0] is Sign.NOT_YET


def test_a_sensor_that_stopped_looking_is_named(world: World) -> None:
    for name, age in (("troubles", 600), ("ended_runs", 5)):
        tick(world.instance, state_of(world.instance, name), NOW - timedelta(seconds=age), TickStatus.SKIPPED)
    assert found(world)["sensors"] == (
        Sign.BAD,
        "looked too long ago: troubles (10 min ago); see daemon and code server",
    )


def test_a_queue_that_does_not_move_is_said(world: World) -> None:
    for _ in range(2):
        world.instance.run_storage.add_run(
            dg.DagsterRun("intune_sync", status=DagsterRunStatus.QUEUED, remote_job_origin=ORIGIN)
        )
    now = datetime.now(UTC)
    assert found(world, now + timedelta(minutes=10))["queue"] == (Sign.GOOD, "2 runs wait, the oldest for 10 min")
    assert found(world, now + timedelta(hours=3))["queue"][0] is Sign.BAD


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("UTC", "2026-03-02T04:59:00+00:00", "2026-03-01T05:00:00+00:00"),
        ("UTC", "2026-03-02T05:00:00+00:00", "2026-03-02T05:00:00+00:00"),
        ("Europe/Berlin", "2026-03-02T04:30:00+00:00", "2026-03-02T05:00:00+01:00"),
        ("America/Los_Angeles", "2026-03-02T12:00:00+00:00", "2026-03-01T05:00:00-08:00"),
        ("Europe/Berlin", "2026-03-29T02:30:00+00:00", "2026-03-28T05:00:00+01:00"),
        ("Europe/Berlin", "2026-03-29T03:30:00+00:00", "2026-03-29T05:00:00+02:00"),
    ],
)
def test_the_hour_is_the_time_zones_own(zone: str, now: str, due: str) -> None:
    assert last_due(5, zone, datetime.fromisoformat(now)) == datetime.fromisoformat(due)


def line(name: str, connection_id: int, listed: datetime | None, cause: str | None = None) -> FleetLine:
    return FleetLine(
        name, connection_id, "connected", DUE - timedelta(days=9), False, listed, None, None, None, None, None, None,
        None, None, 0, 0, cause, None, None,
    )  # fmt: skip


def test_a_night_is_whole_when_every_tenant_was_synced_or_people_know_why_not() -> None:
    synced, missed = line("acme", 1, DUE + timedelta(minutes=2)), line("globex", 2, DUE - timedelta(hours=1))
    assert of_night(GOOD_TICK, [synced], set(), DUE).sign is Sign.GOOD
    silent = of_night(GOOD_TICK, [synced, missed], set(), DUE)
    assert silent.sign is Sign.NOT_YET
    assert (
        silent.says
        == "1 of 2 connected tenants synced since 2026-03-02 05:00 UTC; not yet, and nobody told why: globex"
    )
    assert of_night(GOOD_TICK, [synced, missed], {2}, DUE).sign is Sign.GOOD
    ours = line("initech", 3, None, "our_credential")
    assert of_night(GOOD_TICK, [ours], {2}, DUE).sign is Sign.NOT_YET
    assert of_night(GOOD_TICK, [ours], {None}, DUE).sign is Sign.GOOD


def test_a_night_whose_tick_did_not_come_is_not_whole() -> None:
    missed = Finding("nightly tick", Sign.BAD, "did not come")
    assert of_night(missed, [line("acme", 1, DUE + timedelta(minutes=2))], set(), DUE).sign is Sign.BAD
