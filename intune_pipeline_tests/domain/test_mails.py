"""What admins are told by e-mail, and when: urgent things at once, the rest as a digest, each once until it clears."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intune_pipeline.domain.mails import NOT_TOLD, Place, at_once, digest_is_due, for_digest, message
from intune_pipeline.domain.needs import AT_ONCE, Need
from intune_pipeline.domain.vocabulary import Digest, NeedKind

PLACE = Place("Acme", "https://p.example/i", "https://p.example/s", "https://p.example/unsubscribe/t")
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
kinds = st.frozensets(st.sampled_from(list(NeedKind)))


def need(kind: NeedKind, what: str = "Something is so. And more.") -> Need:
    return Need(kind, what, MONDAY, 3, "Do it.")


@given(waiting=kinds, told=kinds)
def test_each_thing_is_told_in_one_way_and_once(waiting: frozenset[NeedKind], told: frozenset[NeedKind]) -> None:
    needs = [need(kind) for kind in waiting]
    now = {one.kind for one in at_once(needs, told)}
    later = {one.kind for one in for_digest(needs, told)}
    assert now | later == waiting - told - NOT_TOLD
    assert not now & later
    assert now <= AT_ONCE


@pytest.mark.parametrize(
    ("digest", "last", "now", "due"),
    [
        (Digest.DAILY, MONDAY - timedelta(hours=1), MONDAY, True),
        (Digest.DAILY, MONDAY, MONDAY + timedelta(hours=23), False),
        (Digest.DAILY, MONDAY, MONDAY + timedelta(hours=24), True),
        (Digest.WEEKLY, MONDAY, MONDAY + timedelta(days=6, hours=23), False),
        (Digest.WEEKLY, MONDAY + timedelta(days=3), MONDAY + timedelta(days=7), True),
    ],
)
def test_a_digest_comes_three_hours_after_the_sync(digest: Digest, last: datetime, now: datetime, due: bool) -> None:
    assert digest_is_due(digest, last, now, sync_hour=5, time_zone="UTC") is due


@example(datetime(2026, 10, 20, 2, tzinfo=UTC), 23, "Europe/Berlin")  # Two o'clock comes twice when summer time ends.
@given(
    start=st.integers(0, 24 * 365).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_a_year_of_looks_has_one_digest_a_day_and_one_a_week(start: datetime, hour: int, zone: str) -> None:
    for digest, days in ((Digest.DAILY, 1), (Digest.WEEKLY, 7)):
        last, sent = start, []
        for step in range(24 * 35):
            now = start + timedelta(hours=step)
            if digest_is_due(digest, last, now, sync_hour=hour, time_zone=zone):
                last = now
                sent.append(now.astimezone(ZoneInfo(zone)))
        assert len(sent) in {35 // days - 1, 35 // days, 35 // days + 1}
        assert len({one.date() for one in sent}) == len(sent)


def test_a_message_says_what_to_do_where_to_look_and_how_to_end_it() -> None:
    new = [need(NeedKind.UNKNOWN_MODELS)]
    told = message(new, [*new, need(NeedKind.LATE)], PLACE, urgent=False)
    assert told.subject == "Acme: 1 thing needs you (Microsoft Intune)"
    assert told.told == {NeedKind.UNKNOWN_MODELS}
    for said in ("Something is so.", "Do it.", "1 thing told before still waits.", PLACE.page, PLACE.unsubscribe):
        assert said in told.body


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_subject_is_one_line_whatever_a_name_holds(name: str, what: str) -> None:
    place = Place(name, "", "", "")
    subject = message([need(NeedKind.LIFECYCLE_HOLD, what)], (), place, urgent=True).subject
    assert subject.isprintable()
    assert "\n" not in subject
