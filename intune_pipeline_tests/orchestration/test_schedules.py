"""The nightly tick: who gets a run, under which key, and who is left out and why."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from intune_pipeline.inventory.connections import Tenant
from intune_pipeline.orchestration.definitions import build_defs
from intune_pipeline.orchestration.schedules import plan_night
from intune_pipeline_tests.conftest import ConnectedAccount

DAY = date(2026, 3, 29)


def test_every_tenant_that_can_be_tried_gets_one_run_and_the_others_are_named() -> None:
    statuses = ("connected", "needs_consent", "error", "disconnected", "pending", "verifying")
    night = plan_night(
        [Tenant(n, f"{status.replace('_', '-')}", "guid", status) for n, status in enumerate(statuses)], DAY
    )
    assert [request.partition_key for request in night.run_requests] == ["connected", "needs-consent", "error"]
    assert night.skipped == {"disconnected": "disconnected", "pending": "pending", "verifying": "verifying"}


def test_run_keys_are_one_per_tenant_and_day() -> None:
    tenants = [Tenant(1, "acme", "guid", "connected"), Tenant(2, "globex", "guid", "connected")]
    keys = [
        request.run_key for day in (DAY, DAY, date(2026, 3, 30)) for request in plan_night(tenants, day).run_requests
    ]
    assert keys[:2] == keys[2:4] == ["acme:2026-03-29", "globex:2026-03-29"]
    assert not set(keys[4:]) & set(keys[:4])


def test_who_has_a_run_of_this_day_gets_no_second_one_when_the_hour_is_moved() -> None:
    tenants = [Tenant(1, "acme", "guid", "connected"), Tenant(2, "globex", "guid", "connected")]
    night = plan_night(tenants, DAY, {"acme:2026-03-29", "globex:2026-03-28"})
    assert [request.run_key for request in night.run_requests] == ["globex:2026-03-29"]
    assert night.skipped == {"acme": "has its run of this day"}


@pytest.fixture(scope="module")
def stored_instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster that schedules can be evaluated against."""
    with dg.instance_for_test() as instance:
        yield instance


def tick(defs: dg.Definitions, instance: dg.DagsterInstance, engine: sa.Engine, hour: int = 5) -> Any:
    schedule = defs.resolve_schedule_def("daily_intune_sync")
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 3, 29, hour, tzinfo=UTC),
        resources={"database": engine},
        repository_def=defs.get_repository_def(),
    )
    return schedule.evaluate_tick(context)


def test_a_tick_adds_partitions_and_tags_its_runs(
    defs: dg.Definitions,
    stored_instance: dg.DagsterInstance,
    engine: sa.Engine,
    connect_account: Callable[..., ConnectedAccount],
) -> None:
    account = connect_account("acme")
    connect_account("left", status="disconnected", disconnected_at=sa.func.now())
    for _ in range(2):
        [request] = tick(defs, stored_instance, engine).run_requests or []
        assert request.run_key == "acme:2026-03-29"
        assert request.tags["intune/trigger"] == "schedule"
        assert request.tags["intune/tenant_id"] == account.tenant_id
        assert request.tags["dagster/partition"] == "acme"
    assert "acme" in stored_instance.get_dynamic_partitions("tenants")
    assert "left" not in stored_instance.get_dynamic_partitions("tenants")


def test_a_later_tick_of_the_same_local_day_starts_nobody_twice(
    defs: dg.Definitions,
    stored_instance: dg.DagsterInstance,
    engine: sa.Engine,
    connect_account: Callable[..., ConnectedAccount],
) -> None:
    connect_account("moved")
    [request] = tick(defs, stored_instance, engine).run_requests or []
    stored_instance.run_storage.add_run(dg.DagsterRun("intune_sync", tags={"dagster/run_key": str(request.run_key)}))
    later = tick(defs, stored_instance, engine, hour=22)
    assert later.skip_message == "0 tenants to sync; left out: moved (has its run of this day)."


def test_a_tick_without_tenants_says_whom_it_left_out(
    defs: dg.Definitions,
    stored_instance: dg.DagsterInstance,
    engine: sa.Engine,
    connect_account: Callable[..., ConnectedAccount],
) -> None:
    connect_account("left", status="disconnected", disconnected_at=sa.func.now())
    assert tick(defs, stored_instance, engine).skip_message == "0 tenants to sync; left out: left (disconnected)."


def test_hour_and_time_zone_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTUNE_SYNC_HOUR", "23")
    monkeypatch.setenv("INTUNE_SYNC_TIME_ZONE", "Europe/Berlin")
    schedule = build_defs().resolve_schedule_def("daily_intune_sync")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 23 * * *", "Europe/Berlin")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
