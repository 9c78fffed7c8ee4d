"""Sync Now: one run however many press, the debounce, retries of what failed."""

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import sync_locks, sync_requests, sync_runs
from intune_pipeline.inventory.sync_requests import Answer
from intune_pipeline_tests.conftest import ConnectedAccount

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account()


@pytest.fixture
def press(engine: sa.Engine, acme: ConnectedAccount) -> Callable[..., Answer]:
    def ask(**options: object) -> Answer:
        with engine.begin() as db:
            return sync_requests.request(
                db, acme.connection_id, **{"requested_by": "ann@acme.example", "debounce": HALF_AN_HOUR, **options}
            )

    return ask


def finish(engine: sa.Engine, request_id: UUID | None, error: str | None = None) -> None:
    assert request_id is not None
    with engine.begin() as db:
        assert sync_requests.mark_finished(db, request_id, error)


def age(engine: sa.Engine, minutes: int) -> None:
    with engine.begin() as db:
        db.execute(
            sa.text("update sync_requests set requested_at = requested_at - make_interval(mins => :m)"), {"m": minutes}
        )


@pytest.mark.parametrize("status", ["nothing before", "long ago", "failed just now"])
def test_twenty_who_press_at_once_make_one_run(
    engine: sa.Engine, press: Callable[..., Answer], acme: ConnectedAccount, status: str
) -> None:
    if status != "nothing before":
        finish(engine, press().request_id, "no consent" if status.startswith("failed") else None)
        age(engine, 0 if status.startswith("failed") else 31)
    barrier = threading.Barrier(20)
    answers: list[Answer] = []
    wide = sa.create_engine(engine.url, pool_size=20)

    def one() -> None:
        with wide.connect() as db:
            barrier.wait()
            with db.begin():
                answers.append(sync_requests.request(db, acme.connection_id, requested_by="ann", debounce=HALF_AN_HOUR))

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.outcome for answer in answers) == ["accepted"] + ["joined"] * 19
    assert len({answer.request_id for answer in answers}) == 1
    wide.dispose()


def test_within_the_debounce_it_is_too_early_and_says_when_it_is_not(
    engine: sa.Engine, press: Callable[..., Answer], acme: ConnectedAccount
) -> None:
    finish(engine, press().request_id)
    too_early = press()
    assert too_early.outcome == "too_early"
    with engine.begin() as db:
        asked_at = db.scalar(sa.text("select requested_at from sync_requests"))
        assert too_early.possible_at == asked_at + HALF_AN_HOUR
        assert sync_requests.possible_at(db, acme.connection_id, HALF_AN_HOUR) == too_early.possible_at
    age(engine, 30)
    with engine.begin() as db:
        assert sync_requests.possible_at(db, acme.connection_id, HALF_AN_HOUR) is None
    assert press().outcome == "accepted"


def test_what_failed_may_be_tried_again_at_once(engine: sa.Engine, press: Callable[..., Answer]) -> None:
    finish(engine, press().request_id, "The consent was withdrawn.")
    assert press().outcome == "accepted"


def test_the_first_sync_after_connecting_knows_no_debounce(engine: sa.Engine, press: Callable[..., Answer]) -> None:
    finish(engine, press().request_id)
    assert press(trigger="initial").outcome == "accepted"
    assert press(trigger="initial").outcome == "joined"


def test_a_running_sync_is_joined_and_answers_the_request(
    engine: sa.Engine, press: Callable[..., Answer], acme: ConnectedAccount
) -> None:
    with sync_locks.locked(engine, acme.connection_id):
        with engine.begin() as db:
            nightly = sync_runs.open_run(db, acme.connection_id, "schedule", "nightly")
        joined = press()
        assert (joined.outcome, joined.sync_run_id) == ("joined", nightly)
        assert press() == joined
        with engine.begin() as db:
            assert sync_requests.pending(db, 10) == []
            sync_runs.succeed(db, nightly, {})
    with engine.begin() as db:
        request = sync_requests.get(db, joined.request_id)
        assert request is not None
        assert request.status == "succeeded"


def test_a_dead_runs_row_holds_nobody_up(
    engine: sa.Engine, press: Callable[..., Answer], acme: ConnectedAccount
) -> None:
    with engine.begin() as db:
        sync_runs.open_run(db, acme.connection_id, "schedule", "dead")
    assert press().outcome == "accepted"


def test_pending_requests_come_oldest_first_until_their_runs_exist(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    with engine.begin() as db:
        ids = [
            sync_requests.request(
                db, connect_account(slug).connection_id, requested_by="ann", debounce=HALF_AN_HOUR
            ).request_id
            for slug in ("c", "a", "b")
        ]
        waiting = sync_requests.pending(db, 2)
        assert [request.id for request in waiting] == ids[:2]
        assert [request.account for request in waiting] == ["c", "a"]
        assert sync_requests.mark_started(db, [request.id for request in waiting]) == 2
        assert [request.id for request in sync_requests.pending(db, 2)] == ids[2:]


def test_a_request_ends_with_the_sync_that_serves_it(
    engine: sa.Engine, press: Callable[..., Answer], acme: ConnectedAccount
) -> None:
    asked = press()
    assert asked.request_id is not None
    with engine.begin() as db:
        run = sync_runs.open_run(db, acme.connection_id, "manual", "run")
        sync_requests.mark_started(db, [asked.request_id], run)
        sync_runs.fail(db, run, "throttled", "Microsoft was busy.")
        request = sync_requests.get(db, asked.request_id)
        assert request is not None
        assert (request.status, request.sync_run_id, request.error) == ("failed", run, "Microsoft was busy.")
        assert not sync_requests.mark_finished(db, asked.request_id)
