"""Each fault does what it says, and nothing else."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests
from pydantic import ValidationError

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.faults import Spoiling
from intune_pipeline.sandbox.spoiling import HUGE_BYTES
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.sandbox.conftest import DEVICES, GraphClient

ONE = f"{DEVICES}?$top=1"
PAGES = "$select=id&$top=20"


def statuses(graph: GraphClient, number: int) -> list[int]:
    return [graph.get(ONE).status_code for _ in range(number)]


def test_every_nth_request_is_throttled(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.throttle_every = 3
    assert statuses(graph, 7) == [200, 200, 429, 200, 200, 429, 200]


def test_a_throttled_item_has_its_own_429_and_retry_after_inside_a_200(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.throttle_every, cloud.faults.retry_after = 2, 7
    answer = graph.batch(*["/deviceManagement/managedDevices?$top=1"] * 4)
    responses = sorted(answer.json()["responses"], key=lambda response: response["id"])
    assert answer.status_code == 200
    assert [response["status"] for response in responses] == [200, 429, 200, 429]
    assert responses[1]["headers"]["Retry-After"] == "7"
    assert responses[1]["body"]["error"]["code"] == "TooManyRequests"


def test_retry_after_may_be_seconds_a_date_or_missing(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.throttle_every, cloud.faults.retry_after = 1, 5
    assert graph.get(ONE).headers["retry-after"] == "5"
    cloud.faults.retry_after = "date"
    moment = parsedate_to_datetime(graph.get(ONE).headers["retry-after"])
    assert 0 < (moment - datetime.now(UTC)).total_seconds() <= 2
    cloud.faults.retry_after = None
    assert "retry-after" not in graph.get(ONE).headers


def test_the_quota_counts_batch_items_and_names_the_wait(
    cloud: SandboxCloud, graph: GraphClient, tenant: SandboxTenant
) -> None:
    cloud.faults.enforce_quota = True
    item = f"/deviceManagement/managedDevices/{next(iter(tenant.devices))}?$select=id"
    for _ in range(100):
        assert {response["status"] for response in graph.batch(*[item] * 20).json()["responses"]} == {200}
    refused = graph.get(ONE)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert cloud.requests.busiest_window(tenant.tenant_id) == 2001


def test_errors_are_drawn_by_seed(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.error_rate = 0.5
    cloud.faults.seed = 1
    first = statuses(graph, 20)
    cloud.faults.seed = 2
    assert statuses(graph, 20) != first
    cloud.faults.seed = 1
    assert statuses(graph, 20) == first
    assert set(first) == {200, 500, 503, 504}


def test_good_tokens_are_refused_so_many_times(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.reject_tokens = 2
    assert statuses(graph, 3) == [401, 401, 200]


def test_every_nth_connection_is_cut_before_an_answer(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.drop_connection_every = 2
    assert graph.get(ONE).status_code == 200
    with pytest.raises(requests.ConnectionError):
        graph.get(ONE)
    assert graph.get(ONE).status_code == 200
    assert [request.status for request in cloud.requests][-3:] == [200, 0, 200]


def test_a_page_breaks_off_in_its_body_as_often_as_asked(
    cloud: SandboxCloud, graph: GraphClient, tenant: SandboxTenant
) -> None:
    cloud.faults.spoil_page, cloud.faults.spoil_times = 2, 1
    pages = graph.pages(PAGES)
    following = next(pages)["@odata.nextLink"]
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        graph.get(following)
    assert graph.get(following).json()["@odata.count"] == 20
    assert cloud.faults.spoil_times == 0
    assert len(graph.listed(PAGES)) == len(tenant)


def test_a_page_may_link_to_itself(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.spoil_page, cloud.faults.spoil_how = 2, "repeat_link"
    pages = graph.pages(PAGES)
    following = next(pages)["@odata.nextLink"]
    assert next(pages)["@odata.nextLink"] == following


def test_a_page_may_link_to_another_host(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.spoil_page, cloud.faults.spoil_how = 1, "foreign_link"
    link = graph.get(f"{DEVICES}?{PAGES}").json()["@odata.nextLink"]
    assert link.startswith("https://graph.attacker.example/")


def test_a_page_may_come_without_its_value(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.spoil_page, cloud.faults.spoil_how = 1, "no_value"
    assert "value" not in graph.get(f"{DEVICES}?{PAGES}").json()


@pytest.mark.parametrize(("end", "shown"), [(0, 0), (20, 20), (33, 33), (60, 60), (99, 60)])
def test_a_list_may_silently_end_too_early(cloud: SandboxCloud, graph: GraphClient, end: int, shown: int) -> None:
    cloud.faults.truncate_list_at = end
    assert len(graph.listed(PAGES)) == shown


def test_pages_may_be_shorter_than_asked_for(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.largest_page = 13
    assert [page["@odata.count"] for page in graph.pages(PAGES)] == [13, 13, 13, 13, 8]


def test_a_device_may_fail_for_good_without_harming_its_batch(
    cloud: SandboxCloud, graph: GraphClient, tenant: SandboxTenant
) -> None:
    broken, whole = list(tenant.devices)[:2]
    cloud.faults.failing_devices = frozenset({broken})
    answer = graph.batch(*(f"/deviceManagement/managedDevices/{one}?$select=id" for one in (broken, whole)))
    assert {response["id"]: response["status"] for response in answer.json()["responses"]} == {"0": 500, "1": 200}
    assert len(graph.listed(PAGES)) == len(tenant)


def test_answers_may_be_slow(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.slow_seconds = 0.2
    started = time.monotonic()
    assert graph.get(ONE).status_code == 200
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("throttle_every", 0),
        ("error_rate", 2),
        ("error_statuses", (404,)),
        ("retry_after", "later"),
        ("spoil_how", "burn"),
        ("typo", 1),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(cloud: SandboxCloud, name: str, value: object) -> None:
    with pytest.raises((ValidationError, ValueError)):
        setattr(cloud.faults, name, value)


def test_reset_switches_everything_off(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.throttle_every = 1
    cloud.faults.failing_devices = frozenset({"x"})
    cloud.faults.reset()
    assert graph.get(ONE).status_code == 200
    assert cloud.faults.failing_devices == frozenset()


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("byte_order_mark", b"\xef\xbb\xbf{"),
        ("half_emoji", b'"notes":"half \\ud83d"'),
        ("stray_byte", b'"caf\xe9"'),
        ("control_character", b'"a\x01'),
        ("not_a_number", b'"notes":NaN'),
        ("no_record", b'"value":[null,7,'),
        ("nested", b"[" * 50_000),
        ("huge", b" " * HUGE_BYTES),
        ("bomb", b" " * HUGE_BYTES),
        ("web_page", b"<!DOCTYPE html>"),
    ],
)
def test_a_page_can_be_made_hostile(cloud: SandboxCloud, graph: GraphClient, how: Spoiling, found: bytes) -> None:
    cloud.faults.spoil_page, cloud.faults.spoil_how = 2, how
    first = graph.get(f"{DEVICES}?{PAGES}")
    assert found not in first.content
    answer = graph.get(first.json()["@odata.nextLink"])
    assert answer.status_code == 200
    assert found in answer.content
    assert ("content-encoding" in answer.headers) == (how == "bomb")


def test_a_list_can_go_on_for_ever_with_the_same_devices(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.spoil_page, cloud.faults.spoil_how = 1, "endless"
    first = graph.get(f"{DEVICES}?{PAGES}").json()
    second = graph.get(first["@odata.nextLink"]).json()
    third = graph.get(second["@odata.nextLink"]).json()
    assert first["value"] == second["value"] == third["value"]
    assert len({page["@odata.nextLink"] for page in (first, second, third)}) == 3


def test_an_answer_can_come_byte_by_byte(cloud: SandboxCloud, graph: GraphClient) -> None:
    cloud.faults.spoil_page, cloud.faults.spoil_how = 1, "drip"
    started = time.monotonic()
    body = graph.get(f"{DEVICES}?$select=id&$top=1").content
    assert time.monotonic() - started > len(body) * 0.01


def test_one_devices_details_can_be_made_hostile(
    cloud: SandboxCloud, graph: GraphClient, tenant: SandboxTenant
) -> None:
    one, other = list(tenant.devices)[:2]
    cloud.faults.spoilt_devices = {one: "half_emoji"}
    assert b"\\ud83d" in graph.get(f"{DEVICES}/{one}").content
    assert b"\\ud83d" not in graph.get(f"{DEVICES}/{other}").content
    assert graph.batch(f"/deviceManagement/managedDevices/{one}").content.count(b"\\ud83d") == 1
