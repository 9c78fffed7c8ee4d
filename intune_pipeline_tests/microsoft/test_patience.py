"""How long a failing request is asked again."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.patience import Patience, retry_after_seconds

NOW = datetime(2026, 11, 2, 7, 28, 0, tzinfo=UTC)


def failure(cause: Cause, retry_after: float | None = None) -> MicrosoftError:
    return MicrosoftError(cause, tenant_id="t", retry_after=retry_after)


def patience(deadline: float = 1000, give_up_after: float = 120) -> Patience:
    return Patience(time.monotonic() + deadline, timedelta(seconds=give_up_after))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("Mon, 02 Nov 2026 07:28:41 GMT", 41),
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


@settings(deadline=None)
@given(st.text())
def test_retry_after_may_hold_anything(header: str) -> None:
    seconds = retry_after_seconds(header, now=NOW)
    assert seconds is None or seconds > 0


@pytest.mark.parametrize("cause", [cause for cause in Cause if not cause.retry])
def test_what_does_not_pass_by_itself_is_not_asked_again(cause: Cause) -> None:
    assert not patience().allows(failure(cause))


def test_microsofts_own_pause_is_kept() -> None:
    kept = patience()
    assert kept.allows(failure(Cause.THROTTLED, retry_after=41))
    assert kept.pause == 41


def test_without_one_pauses_are_random_and_their_bound_doubles_to_a_minute() -> None:
    kept = patience(deadline=10_000, give_up_after=10_000)
    for bound in (1, 2, 4, 8, 16, 32, 60, 60):
        assert kept.allows(failure(Cause.THROTTLED))
        assert 0 <= kept.pause <= bound


def test_throttling_is_borne_until_the_deadline_however_often() -> None:
    kept = patience(deadline=1000, give_up_after=1)
    assert all(kept.allows(failure(Cause.THROTTLED, retry_after=999)) for _ in range(100))
    assert not kept.allows(failure(Cause.THROTTLED, retry_after=1001))


def test_an_outage_is_given_up_when_it_outlasts_its_time_without_a_break() -> None:
    kept = patience(give_up_after=60)
    assert kept.allows(failure(Cause.OUTAGE, retry_after=59))
    assert not kept.allows(failure(Cause.OUTAGE, retry_after=61))
    assert kept.allows(failure(Cause.THROTTLED, retry_after=500))
    assert kept.allows(failure(Cause.OUTAGE, retry_after=59))


def test_an_error_of_our_own_is_never_asked_again() -> None:
    assert not patience().allows(KeyError("a bug"))
