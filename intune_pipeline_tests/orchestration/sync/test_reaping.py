"""Dagster reads a failure the moment it is stored; a run that is not marked failed yet is forgotten, unless it is reminded."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon

from intune_pipeline.orchestration.sensors import close_ended, ended_runs, remind
from intune_pipeline.orchestration.sync import reaping
from intune_pipeline_tests.orchestration.conftest import World, state_of, tick


@pytest.fixture
def instance(instance_on_disk: dg.DagsterInstance) -> dg.DagsterInstance:
    """Dagster on a disk: its daemon's parts do not work with one in memory."""
    return instance_on_disk


@pytest.fixture
def forgotten(world: World, queued: tuple[UUID, dg.DagsterRun]) -> tuple[UUID, dg.DagsterRun]:
    """A crashed run whose failure Dagster read in the moment between its event and its status."""
    request_id, run = queued
    stored = world.instance.event_log_storage.store_event

    def store_event_and_look(event: dg.EventLogEntry) -> None:
        stored(event)
        look_for_failures(world)

    look_for_failures(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.instance.event_log_storage, "store_event", store_event_and_look)
        world.instance.report_run_failed(run)
    world.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    look_for_failures(world)
    close_ended(world.instance, world.engine)
    return request_id, run


def look_for_failures(world: World) -> None:
    """One look of Dagster's daemon for runs to start over."""
    with WorkspaceProcessContext(world.instance, EmptyWorkspaceTarget()) as workspace:
        list(EventLogConsumerDaemon().run_iteration(workspace))


def retries_of(world: World, run: dg.DagsterRun) -> list[str]:
    """What Dagster says about starting a run over; there is no code server here, so it cannot."""
    return [entry.message for entry in world.instance.all_logs(run.run_id) if "retry" in entry.message]


def test_dagster_is_reminded_of_a_crashed_run_it_forgot(
    world: World, forgotten: tuple[UUID, dg.DagsterRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id, run = forgotten
    assert retries_of(world, run) == []
    assert state_of(world, request_id) == ("started", None)
    assert remind(world.instance, datetime.now(UTC)) == 0
    monkeypatch.setattr(reaping, "GRACE", timedelta(0))
    assert "1 forgotten" in tick(world, ended_runs).skip_reason.skip_message
    look_for_failures(world)
    assert any("Failed to retry run" in message for message in retries_of(world, run))


def test_a_run_that_no_reminder_helps_is_given_up(
    world: World, forgotten: tuple[UUID, dg.DagsterRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id, _ = forgotten
    monkeypatch.setattr(reaping, "GRACE", timedelta(0))
    assert [remind(world.instance, datetime.now(UTC)) for _ in range(3)] == [1, 1, 0]
    close_ended(world.instance, world.engine)
    assert state_of(world, request_id)[0] == "failed"
