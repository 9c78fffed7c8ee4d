"""Events become messages in an order receivers can use, and a refusing receiver is given up after a day."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.vocabulary import ChangedEntity, WebhookEvent
from intune_pipeline.domain.webhooks import (
    CHANGES_PER_MESSAGE,
    RETRIES,
    SUBSCRIBABLE,
    Message,
    entities,
    messages,
    next_try,
)

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


def test_new_employees_come_before_the_assets_they_hold_and_the_end_of_a_sync_last() -> None:
    rows = [(1, "asset", "created"), (2, "employee", "created"), (3, "asset", "updated"), (4, "sync", "finished"),
            (5, "asset", "updated"), (6, "employee", "created"), (7, "sync", "failed")]  # fmt: skip
    assert list(messages(rows, SUBSCRIBABLE)) == [
        Message(WebhookEvent.EMPLOYEE_CREATED, [2]),
        Message(WebhookEvent.ASSET_CHANGED, [1, 3]),
        Message(WebhookEvent.SYNC_FINISHED, [4]),
        Message(WebhookEvent.EMPLOYEE_CREATED, [6]),
        Message(WebhookEvent.ASSET_CHANGED, [5]),
        Message(WebhookEvent.SYNC_FAILED, [7]),
    ]


def test_a_full_message_is_sent_with_what_came_before_it() -> None:
    rows = [(1, "employee", "created"), *((number, "asset", "updated") for number in range(2, CHANGES_PER_MESSAGE + 3))]
    assert [(one.event, len(one.event_ids)) for one in messages(rows, SUBSCRIBABLE)] == [
        (WebhookEvent.EMPLOYEE_CREATED, 1),
        (WebhookEvent.ASSET_CHANGED, CHANGES_PER_MESSAGE),
        (WebhookEvent.ASSET_CHANGED, 1),
    ]


def test_a_webhook_reads_only_what_it_tells() -> None:
    assert entities([WebhookEvent.SYNC_FAILED, WebhookEvent.TEST]) == {ChangedEntity.SYNC}
    assert entities([WebhookEvent.ASSET_CHANGED, WebhookEvent.EMPLOYEE_CREATED]) == {
        ChangedEntity.ASSET,
        ChangedEntity.EMPLOYEE,
    }
    assert entities(SUBSCRIBABLE) == {ChangedEntity.ASSET, ChangedEntity.EMPLOYEE, ChangedEntity.SYNC}


def test_what_nobody_asked_for_is_not_told() -> None:
    rows = [(1, "asset", "updated"), (2, "sync", "failed"), (3, "sync", "finished")]
    assert [one.event_ids for one in messages(rows, [WebhookEvent.SYNC_FAILED])] == [[2]]


def test_it_is_tried_again_for_a_day_and_then_not() -> None:
    waits = [next_try(failures, 0) for failures in range(1, len(RETRIES) + 1)]
    assert timedelta(hours=24) <= sum(filter(None, waits), timedelta()) <= timedelta(hours=26)
    assert waits == sorted(waits, key=lambda wait: wait or timedelta())
    assert next_try(len(RETRIES) + 1, 0) is None


def test_webhooks_of_one_receiver_are_spread_over_a_tenth_of_the_wait() -> None:
    assert [next_try(3, spread) for spread in (0, 0.5, 1)] == [
        timedelta(minutes=5),
        timedelta(minutes=5, seconds=15),
        timedelta(minutes=5, seconds=30),
    ]
