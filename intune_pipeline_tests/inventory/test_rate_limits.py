"""A limit holds for all processes together, and forgets in time."""

import threading
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intune_pipeline.inventory import rate_limits
from intune_pipeline.inventory.rate_limits import Limit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = Limit("reveals", 5, 3600)


def spend(engine: sa.Engine, key: str = "a", after: float = 0, limit: Limit = LIMIT) -> int | None:
    """Spend one use after so many seconds."""
    with engine.begin() as db:
        return rate_limits.spend(db, limit, key, NOW + timedelta(seconds=after))


def test_a_burst_is_allowed_and_one_more_waits_its_turn(engine: sa.Engine) -> None:
    assert [spend(engine) for _ in range(6)] == [None] * 5 + [720]
    assert spend(engine, after=700) == 20
    assert spend(engine, after=720) is None
    assert spend(engine, after=720) == 720


def test_each_key_and_each_limit_counts_for_itself(engine: sa.Engine) -> None:
    for _ in range(5):
        spend(engine)
    assert spend(engine) is not None
    assert spend(engine, "b") is None
    assert spend(engine, limit=Limit("exports", 5, 3600)) is None


def test_looking_counts_nothing(engine: sa.Engine) -> None:
    with engine.begin() as db:
        assert [rate_limits.waiting(db, LIMIT, "a", NOW) for _ in range(9)] == [None] * 9
    assert spend(engine) is None


def test_of_many_at_once_only_so_many_are_allowed(engine: sa.Engine) -> None:
    allowed: list[int | None] = []
    threads = [threading.Thread(target=lambda: allowed.append(spend(engine))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(None) == 5


def test_what_is_not_used_up_any_more_is_forgotten(engine: sa.Engine) -> None:
    spend(engine)
    spend(engine, "later", after=5000)
    with engine.begin() as db:
        assert rate_limits.forget(db, NOW + timedelta(seconds=5000)) == 1


@given(pauses=st.lists(st.integers(0, 30), max_size=60), times=st.integers(1, 5))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_window_ever_holds_more_than_twice_the_times(engine: sa.Engine, pauses: list[int], times: int) -> None:
    """The law of the algorithm: a burst of ``times``, and ``times`` more while the window passes."""
    limit, at, allowed = Limit("law", times, 60), 0, []
    with engine.begin() as db:
        db.execute(sa.text("delete from rate_limits"))
        for pause in pauses:
            at += pause
            if rate_limits.spend(db, limit, "a", NOW + timedelta(seconds=at)) is None:
                allowed.append(at)
    assert all(sum(start <= moment < start + 60 for moment in allowed) <= 2 * times for start in allowed)
