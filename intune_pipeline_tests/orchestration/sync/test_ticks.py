"""A tick of the nightly schedule that failed for good is an alarm; one that is still tried again is none."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from intune_pipeline.orchestration.schedules import DAILY_INTUNE_SYNC
from intune_pipeline.orchestration.sync.ticks import lost_ticks

RETRIES = 30


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    overrides = {
        "scheduler": {
            "module": "dagster.core.scheduler",
            "class": "DagsterDaemonScheduler",
            "config": {"max_tick_retries": RETRIES},
        }
    }
    with dg.instance_for_test(overrides=overrides) as on_disk:
        yield on_disk


@pytest.fixture
def state(instance: dg.DagsterInstance) -> InstigatorState:
    """The nightly schedule, as Dagster's daemon stores it."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("intune_pipeline"), "__repository__")
    return instance.add_instigator_state(
        InstigatorState(
            RemoteInstigatorOrigin(repository, DAILY_INTUNE_SYNC),
            InstigatorType.SCHEDULE,
            InstigatorStatus.RUNNING,
            ScheduleInstigatorData("0 5 * * *", 0.0),
        )
    )


def tick(instance: dg.DagsterInstance, state: InstigatorState, at: float, status: TickStatus, failures: int) -> None:
    instance.create_tick(
        TickData(
            state.instigator_origin_id,
            DAILY_INTUNE_SYNC,
            InstigatorType.SCHEDULE,
            status,
            at,
            error=SerializableErrorInfo("the database is away", [], None) if failures else None,
            failure_count=failures,
            selector_id=state.selector_id,
        )
    )


def test_a_tick_that_failed_for_good_is_told_until_the_next_one_succeeds(
    instance: dg.DagsterInstance, state: InstigatorState
) -> None:
    assert lost_ticks(instance, DAILY_INTUNE_SYNC) == []
    tick(instance, state, 1_000.0, TickStatus.FAILURE, RETRIES + 1)
    [trouble] = lost_ticks(instance, DAILY_INTUNE_SYNC)
    assert (trouble.cause, trouble.connection_id) == ("tick_lost", None)
    assert f"failed {RETRIES + 1} times and is not tried again" in trouble.message
    tick(instance, state, 2_000.0, TickStatus.SKIPPED, 0)
    assert lost_ticks(instance, DAILY_INTUNE_SYNC) == []


def test_a_tick_that_is_tried_again_is_no_alarm_yet(instance: dg.DagsterInstance, state: InstigatorState) -> None:
    tick(instance, state, 1_000.0, TickStatus.FAILURE, RETRIES)
    assert lost_ticks(instance, DAILY_INTUNE_SYNC) == []
