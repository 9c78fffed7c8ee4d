"""Events become messages in an order receivers can use, and a refusing receiver is given up after a day."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.vocabulary import WebhookEvent
from intune_pipeline.domain.webhooks import CHANGES_PER_MESSAGE, RETRIES, SUBSCRIBABLE, messages, next_try

ROWS = st.lists(
    st.sampled_from(
        [
            ("asset", "created"),
            ("asset", "updated"),
            ("employee", "created"),
            ("employee", "updated"),
            ("sync", "finished"),
            ("sync", "failed"),
        ]
    ),
    max_size=400,
).map(lambda kinds: [(number, *kind) for number, kind in enumerate(kinds, start=1)])


@given(ROWS)
def test_every_event_is_told_once_and_in_order(rows: list[tuple[int, str, str]]) -> None:
    made = list(messages(rows, SUBSCRIBABLE))
    told = [number for one in made for number in one.event_ids]
    assert sorted(told) == [number for number, entity, kind in rows if (entity, kind) != ("employee", "updated")]
    for event in SUBSCRIBABLE:
        of_event = [number for one in made if one.event is event for number in one.event_ids]
        assert of_event == sorted(of_event)
    assert all(0 < len(one.event_ids) <= CHANGES_PER_MESSAGE for one in made)


@given(ROWS)
def test_the_end_of_a_sync_comes_after_its_changes_and_before_later_ones(rows: list[tuple[int, str, str]]) -> None:
    highest = 0
    for one in messages(rows, SUBSCRIBABLE):
        if one.event in {WebhookEvent.SYNC_FINISHED, WebhookEvent.SYNC_FAILED}:
            assert one.event_ids[0] > highest
        highest = max(highest, *one.event_ids) if one.event_ids else highest


def test_what_nobody_asked_for_is_not_told() -> None:
    rows = [(1, "asset", "updated"), (2, "sync", "failed"), (3, "sync", "finished")]
    assert [one.event_ids for one in messages(rows, [WebhookEvent.SYNC_FAILED])] == [[2]]


def test_it_is_tried_again_for_a_day_and_then_not() -> None:
    waits = [next_try(failures, 0) for failures in range(1, len(RETRIES) + 1)]
    assert timedelta(hours=24) <= sum(filter(None, waits), timedelta()) <= timedelta(hours=26)
    assert waits == sorted(waits, key=lambda wait: wait or timedelta())
    assert next_try(len(RETRIES) + 1, 0) is None
    assert (next_try(3, 1) or timedelta()) > (next_try(3, 0) or timedelta())
