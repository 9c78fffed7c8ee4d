"""How long a failing request is asked again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.patience import Patience, retry_after_seconds

NOW = datetime(2026, 11, 2, 7, 28, 0, tzinfo=UTC)


class Watch:
    """A clock that a test sets."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def failure(cause: Cause, retry_after: float | None = None, status: int | None = None) -> MicrosoftError:
    return MicrosoftError(cause, tenant_id="t", status=status, retry_after=retry_after)


def patience(deadline: float = 1000, give_up_after: float = 120, watch: Watch | None = None) -> Patience:
    return Patience(deadline, timedelta(seconds=give_up_after), clock=watch or Watch(), draw=lambda _, high: high)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("Mon, 02 Nov 2026 07:28:41 GMT", 41),
        ("Mon, 02 Nov 2026 08:28:41 +0100", 41),
        ("Mon, 02 Nov 2026 07:28:41 -0000", 41),
        ("0", None),
        ("-3", None),
        ("Mon, 02 Nov 2026 07:27:00 GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, now=NOW) == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    seconds = retry_after_seconds(format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True))
    assert seconds is not None
    assert 240 < seconds <= 300


@settings(deadline=None)
@given(st.text())
def test_retry_after_may_hold_anything(header: str) -> None:
    seconds = retry_after_seconds(header, now=NOW)
    assert seconds is None or seconds > 0


@pytest.mark.parametrize("cause", [cause for cause in Cause if not cause.retry])
def test_what_does_not_pass_by_itself_is_not_asked_again(cause: Cause) -> None:
    assert not patience().allows(failure(cause))


def test_an_error_of_our_own_is_never_asked_again() -> None:
    assert not patience().allows(KeyError("a bug"))


def test_microsofts_own_pause_is_kept() -> None:
    kept = patience()
    assert kept.allows(failure(Cause.THROTTLED, retry_after=41))
    assert kept.pause == 41


def test_without_one_pauses_are_drawn_below_a_bound_that_doubles_to_a_minute() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return high / 4

    kept = Patience(10_000, timedelta(seconds=10_000), clock=Watch(), draw=draw)
    for bound in (1, 2, 4, 8, 16, 32, 60, 60):
        assert kept.allows(failure(Cause.THROTTLED))
        assert kept.pause == bound / 4
    assert drawn == [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (0, 32), (0, 60), (0, 60)]


def test_two_clients_do_not_come_back_at_the_same_moment() -> None:
    pauses = set()
    for _ in range(20):
        kept = Patience(1000, timedelta(seconds=120), clock=Watch())
        assert kept.allows(failure(Cause.THROTTLED))
        pauses.add(kept.pause)
    assert len(pauses) > 10
    assert all(0 <= pause <= 1 for pause in pauses)


def test_throttling_is_borne_until_the_deadline_however_often() -> None:
    watch = Watch()
    kept = patience(deadline=1000, give_up_after=1, watch=watch)
    for watch.now in range(0, 1000, 10):
        assert kept.allows(failure(Cause.THROTTLED, retry_after=9))
    watch.now = 990
    assert not kept.allows(failure(Cause.THROTTLED, retry_after=10))


def test_an_outage_is_given_up_when_it_outlasts_its_time_counted_from_its_first_failure() -> None:
    watch = Watch()
    kept = patience(give_up_after=60, watch=watch)
    for watch.now in (0, 20, 40):
        assert kept.allows(failure(Cause.OUTAGE, retry_after=20))
    watch.now = 41
    assert not kept.allows(failure(Cause.OUTAGE, retry_after=20))


def test_an_outage_that_a_throttled_answer_interrupts_begins_anew() -> None:
    watch = Watch(100)
    kept = patience(give_up_after=60, watch=watch)
    assert kept.allows(failure(Cause.OUTAGE, retry_after=59))
    watch.now = 159
    assert kept.allows(failure(Cause.THROTTLED, retry_after=1))
    watch.now = 160
    assert kept.allows(failure(Cause.OUTAGE, retry_after=60))
    assert not kept.allows(failure(Cause.OUTAGE, retry_after=61))


def test_no_pause_ends_at_the_deadline_or_after_it() -> None:
    watch = Watch(900)
    assert patience(deadline=1000, watch=watch).allows(failure(Cause.OUTAGE, retry_after=99))
    assert not patience(deadline=1000, watch=watch).allows(failure(Cause.OUTAGE, retry_after=100))


def test_a_401_that_means_forbidden_is_asked_again_for_a_minute_and_a_403_is_not() -> None:
    watch = Watch()
    kept = patience(watch=watch)
    assert kept.allows(failure(Cause.PERMISSION_REMOVED, retry_after=60, status=401))
    assert not kept.allows(failure(Cause.PERMISSION_REMOVED, retry_after=61, status=401))
    assert not patience().allows(failure(Cause.PERMISSION_REMOVED, retry_after=1, status=403))
    short = patience(give_up_after=5)
    assert not short.allows(failure(Cause.PERMISSION_REMOVED, retry_after=6, status=401))
