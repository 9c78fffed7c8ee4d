"""When the items of batches are sent, by a clock that the test sets."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from intune_pipeline.microsoft.batches import IN_FLIGHT, MAX_ITEMS, BatchSender, ItemResult
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.exchange import Reply, Traffic
from intune_pipeline.microsoft.patience import Patience

Post = Callable[[list[str]], Any]
Send = Callable[[Post, list[str]], list[tuple[str, ItemResult]]]


class Time:
    """A clock that goes on when somebody sleeps, and what was slept."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def stats() -> Traffic:
    return Traffic()


@pytest.fixture
def send(time: Time, stats: Traffic) -> Iterator[Send]:
    """Sends keys in batches; ``post`` is given the keys of one and returns the responses, or raises."""
    with ThreadPoolExecutor(1) as threads:

        def sending(post: Post, keys: list[str]) -> list[tuple[str, ItemResult]]:
            def posted(payload: dict[str, Any], size: int) -> Reply:
                asked = [item["url"] for item in payload["requests"]]
                assert size == len(asked)
                responses = post(asked)
                return Reply({"responses": [{"id": str(n), **one} for n, one in enumerate(responses)]}, "batch-1")

            sender = BatchSender(
                post=posted,
                threads=threads,
                stats=stats,
                tenant_id="t",
                patience=lambda: Patience(1000, timedelta(seconds=120), clock=time.clock, draw=lambda _, high: high),
                clock=time.clock,
                sleep=time.sleep,
            )
            return list(sender.answers((key, key) for key in keys))

        yield sending


def found(key: str) -> dict[str, Any]:
    return {"status": 200, "body": {"id": key}}


def refused(status: int, retry_after: str | None = None) -> dict[str, Any]:
    return {"status": status, "headers": {"Retry-After": retry_after} if retry_after else {}, "body": {}}


def causes(results: list[tuple[str, ItemResult]]) -> dict[str, Cause]:
    return {key: result.cause for key, result in results if isinstance(result, MicrosoftError)}


def test_an_item_is_sent_again_exactly_when_its_own_answer_says_so(send: Send, time: Time, stats: Traffic) -> None:
    batches: list[list[str]] = []

    def post(keys: list[str]) -> list[dict[str, Any]]:
        batches.append(keys)
        return [refused(429, "300") if key == "b" and len(batches) == 1 else found(key) for key in keys]

    assert [key for key, _ in send(post, ["a", "b", "c"])] == ["a", "c", "b"]
    assert batches == [["a", "b", "c"], ["b"]]
    assert time.slept == [300]
    assert (stats.throttled, stats.retried) == (1, 1)


def test_a_failing_item_is_asked_again_after_growing_pauses_until_its_time_is_up(send: Send, time: Time) -> None:
    results = send(lambda keys: [refused(503) for _ in keys], ["a"])
    assert causes(results) == {"a": Cause.OUTAGE}
    assert time.slept == [1, 2, 4, 8, 16, 32]


def test_one_401_is_forgiven_without_a_pause(send: Send, time: Time) -> None:
    answers = iter([refused(401), refused(401)])
    assert causes(send(lambda _: [next(answers)], ["a"])) == {"a": Cause.UNEXPECTED}
    assert sum(time.slept) == 0


def test_a_throttled_item_is_given_up_at_the_deadline_not_before(send: Send, time: Time) -> None:
    results = send(lambda keys: [refused(429, "250") for _ in keys], ["a"])
    assert causes(results) == {"a": Cause.THROTTLED}
    assert time.slept == [250, 250, 250]


@pytest.mark.parametrize("hostile", [["07"], ["00", "39"], ["13", "14", "25"]])
def test_items_of_an_answer_that_is_not_read_are_sent_one_by_one_and_only_the_hostile_ones_fail(
    send: Send, hostile: list[str]
) -> None:
    batches: list[list[str]] = []

    def post(keys: list[str]) -> list[dict[str, Any]]:
        batches.append(keys)
        if set(keys) & set(hostile):
            raise MicrosoftError(Cause.UNEXPECTED, tenant_id="t", unread=True, note="nested")
        return [found(key) for key in keys]

    keys = [f"{number:02}" for number in range(40)]
    results = send(post, keys)
    assert sorted(key for key, _ in results) == keys
    assert set(causes(results)) == set(hostile)
    spoilt = sum(bool(set(half) & set(hostile)) for half in (keys[:20], keys[20:]))
    assert sorted(map(len, batches)) == [1] * 20 * spoilt + [20] * 2


def test_a_batch_that_fails_for_good_ends_all_that_are_left(send: Send) -> None:
    asked: list[str] = []

    def post(keys: list[str]) -> list[dict[str, Any]]:
        asked.extend(keys)
        raise MicrosoftError(Cause.DEADLINE, tenant_id="t")

    keys = [str(number) for number in range(MAX_ITEMS * (IN_FLIGHT + 5))]
    assert causes(send(post, keys)) == dict.fromkeys(keys, Cause.DEADLINE)
    assert len(asked) <= MAX_ITEMS * IN_FLIGHT


def test_a_batch_that_got_no_token_is_not_taken_for_one_with_a_hostile_item(send: Send) -> None:
    batches: list[list[str]] = []

    def post(keys: list[str]) -> list[dict[str, Any]]:
        batches.append(keys)
        raise MicrosoftError(Cause.OUTAGE, tenant_id="t", status=200, note="a web page")

    assert causes(send(post, ["a", "b"])) == {"a": Cause.OUTAGE, "b": Cause.OUTAGE}
    assert batches == [["a", "b"]]


def test_an_item_that_is_refused_names_tenant_status_code_and_its_own_request_or_the_batchs(send: Send) -> None:
    def answer(request_id: str) -> dict[str, Any]:
        inner = {"code": "Forbidden", "message": "Words.", "innerError": {"request-id": request_id}}
        return {"status": 403, "headers": {}, "body": {"error": inner}}

    results = dict(send(lambda _: [answer("item-1"), answer("")], ["a", "b"]))
    known = {
        key: (error.cause, error.tenant_id, error.status, error.code, error.request_id)
        for key, error in results.items()
        if isinstance(error, MicrosoftError)
    }
    assert known == {
        "a": (Cause.PERMISSION_REMOVED, "t", 403, "Forbidden", "item-1"),
        "b": (Cause.PERMISSION_REMOVED, "t", 403, "Forbidden", "batch-1"),
    }


@pytest.mark.parametrize("status", ["ADAS-LAPTOP", None, {}, [], 1.5])
def test_a_status_that_is_none_is_no_answer_and_shown_nowhere(send: Send, status: Any) -> None:
    [(_, error)] = send(lambda _: [{"status": status, "body": {}}], ["a"])
    assert isinstance(error, MicrosoftError)
    assert error.cause is Cause.OUTAGE
    assert "ADAS" not in str(error)
