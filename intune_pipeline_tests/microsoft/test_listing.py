"""A list of devices is whole, or it is an error."""

import gzip
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from intune_pipeline.domain.devices import managed_device
from intune_pipeline.domain.eligibility import newest_by_id
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.graph import LIST_PROPERTIES, GraphClient, _origin
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.microsoft.conftest import CANARY, Connect
from intune_pipeline_tests.microsoft.scripted_graph import Asked, Said, ScriptedGraph

Scripted = tuple[ScriptedGraph, Connect]


def throttled(retry_after: str) -> Said:
    body = {"error": {"code": "TooManyRequests", "message": "Slow down."}}
    return Said(429, body, {"Retry-After": retry_after, "request-id": "t-1"})


def page(*ids: str, link: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"value": [{"id": one, "lastSyncDateTime": "2026-10-01T08:00:00Z"} for one in ids]}
    return body | ({"@odata.nextLink": link} if link else {})


def test_every_device_arrives_page_by_page(connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant) -> None:
    pages = list(connect().list_devices(page_size=100))
    assert [len(one) for one in pages] == [100, 100, 50]
    assert {record["id"] for one in pages for record in one} == set(tenant.devices)
    assert set(pages[0][0]) <= set(LIST_PROPERTIES)
    assert CANARY not in str(pages)
    assert sandbox.requests.count("/managedDevices") == 3


def test_a_tenant_without_devices_is_an_empty_list_and_one_without_intune_an_error(
    connect: Connect, tenant: SandboxTenant
) -> None:
    for device_id in list(tenant.devices):
        tenant.remove(device_id)
    assert list(connect().list_devices()) == [[]]
    tenant.intune_licensed = False
    with pytest.raises(MicrosoftError) as failure:
        list(connect().list_devices())
    assert failure.value.cause is Cause.NO_INTUNE_LICENCE
    assert failure.value.request_id


def test_a_next_link_is_followed_byte_for_byte(scripted: Scripted) -> None:
    graph, connect = scripted
    target = "/v1.0/deviceManagement/managedDevices?$skiptoken=LastDeviceName%3d%27PC%2d1%7e%27%2cId%3d%27a b'"
    graph.says(Said(body=page("a", link=graph.url + target.replace("a b'", "a'"))), Said(body=page("b")))
    list(connect().list_devices())
    assert graph.asked[1].target.lower() == target.replace("a b'", "a'").lower()


@pytest.mark.parametrize(
    "broken",
    [
        page("b", link="http://graph/v1.0/deviceManagement/managedDevices"),
        page("b", link="https://elsewhere.example/v1.0/deviceManagement/managedDevices"),
        page("b", link="https://["),
        page("b", link="https://127.0.0.1:1/v1.0/deviceManagement/managedDevices"),
        page("b", link="/v1.0/deviceManagement/managedDevices"),
        {"value": [], "@odata.nextLink": 7},
        {"value": [], "@odata.nextLink": {"href": "https://graph/next"}},
        {"@odata.nextLink": "https://graph/next"},
        {"value": None},
        {},
    ],
    ids=[
        "http",
        "another host",
        "no address",
        "another port",
        "relative",
        "no text",
        "an object",
        "no value",
        "null value",
        "nothing",
    ],
)
def test_a_page_that_is_not_right_fails_the_whole_list_and_says_which_request(
    scripted: Scripted, broken: dict[str, Any]
) -> None:
    graph, connect = scripted
    first = Said(body=page("a", link=f"{graph.url}/next"))
    graph.says(first, Said(body=broken, headers={"request-id": "r-7"}))
    with pytest.raises(MicrosoftError) as failure:
        list(connect().list_devices())
    assert failure.value.cause is Cause.LIST_INCOMPLETE
    assert failure.value.request_id == "r-7"
    assert len(graph.asked) == 2


def test_a_next_page_on_another_host_at_the_same_port_is_outside_of_graph(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body=page("a", link=graph.url.replace("127.0.0.1", "localhost"))))
    with pytest.raises(MicrosoftError, match="a next page outside of Graph"):
        list(connect().list_devices())


def test_the_port_of_https_may_be_said_or_left_out() -> None:
    assert _origin("https://graph.microsoft.com:443/v1.0/x") == _origin("https://graph.microsoft.com")


def test_a_page_that_leads_back_fails_the_whole_list(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.script = lambda _: Said(body=page("a", link=f"{graph.url}/again"))
    with pytest.raises(MicrosoftError, match="leads back"):
        list(connect().list_devices())


def test_an_entry_that_is_no_device_is_passed_on_like_any_other(scripted: Scripted) -> None:
    graph, connect = scripted
    entries = [None, 7, "text", [], {}, {"id": None}, {"id": "a"}]
    graph.says(Said(body={"value": entries}))
    assert list(connect().list_devices()) == [entries]


@pytest.mark.parametrize("body", [[], "text", 7, True])
def test_a_page_that_is_no_object_is_no_list_and_asked_for_once(scripted: Scripted, body: Any) -> None:
    graph, connect = scripted
    graph.says(Said(body=orjson.dumps(body)))
    with pytest.raises(MicrosoftError, match="no object") as failure:
        list(connect().list_devices())
    assert failure.value.cause is Cause.LIST_INCOMPLETE


@pytest.mark.parametrize(("status", "cause"), [(503, Cause.OUTAGE), (403, Cause.PERMISSION_REMOVED)])
def test_the_status_of_an_error_counts_even_when_its_body_is_not_read(
    scripted: Scripted, status: int, cause: Cause
) -> None:
    graph, connect = scripted
    bomb = gzip.compress(bytes(2**23))
    graph.says(Said(status, b"[" * 5000 + b"]" * 5000), Said(status, bomb, {"Content-Encoding": "gzip"}))
    for _ in range(2):
        with pytest.raises(MicrosoftError) as failure:
            list(connect(give_up_after=timedelta(0)).list_devices())
        assert (failure.value.cause, failure.value.status) == (cause, status)


def test_a_404_is_an_incomplete_list_not_a_missing_record(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(404, {"error": {"code": "ResourceNotFound", "message": "x"}}, {"request-id": "r-4"}))
    with pytest.raises(MicrosoftError) as failure:
        list(connect().list_devices())
    assert (failure.value.cause, failure.value.status) == (Cause.LIST_INCOMPLETE, 404)
    assert "record" not in str(failure.value)


def test_pages_without_a_new_device_do_not_lead_on_for_ever(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.asked.clear()
    graph.script = lambda _: Said(body=page("a", "b", link=f"{graph.url}/turn-{len(graph.asked)}"))
    with pytest.raises(MicrosoftError, match=r"\(tenant .*, a page without a new device that leads on\)\.") as failure:
        list(connect().list_devices())
    assert failure.value.cause is Cause.LIST_INCOMPLETE
    assert len(graph.asked) == 2


@pytest.mark.parametrize("entries", [[], [None], [{"deviceName": "no id"}]], ids=["empty", "null", "no id"])
def test_neither_do_pages_without_any_device(scripted: Scripted, entries: list[Any]) -> None:
    graph, connect = scripted
    graph.asked.clear()

    def serve(asked: Asked) -> Said:
        return Said(body={"value": entries, "@odata.nextLink": f"{graph.url}/turn-{len(graph.asked)}"})

    graph.script = serve
    with pytest.raises(MicrosoftError, match="more than 20 pages in a row") as failure:
        list(connect().list_devices())
    assert failure.value.cause is Cause.LIST_INCOMPLETE
    assert len(graph.asked) == 21


def test_twenty_empty_pages_and_a_repeated_last_page_are_no_reason_to_stop(scripted: Scripted) -> None:
    graph, connect = scripted
    links = [f"{graph.url}/{number}" for number in range(41)]
    empty = [Said(body=page(link=link)) for link in links[1:]]
    graph.says(
        Said(body=page("a", link=links[0])), *empty[:20], Said(body=page("b", link=links[40])), Said(body=page("a"))
    )
    assert sum(map(len, connect().list_devices())) == 3


def test_a_tenant_with_more_devices_than_allowed_is_refused_and_one_with_just_as_many_is_not(
    scripted: Scripted,
) -> None:
    graph, connect = scripted
    pages = [Said(body=page("a", "b", link=f"{graph.url}/next")), Said(body=page("b", "c"))]
    graph.says(*pages)
    assert sum(map(len, connect(max_devices=3).list_devices())) == 4
    graph.says(*pages)
    with pytest.raises(MicrosoftError, match="more than 2 devices") as failure:
        list(connect(max_devices=2).list_devices())
    assert failure.value.cause is Cause.TOO_MANY_DEVICES


def test_no_page_is_asked_for_after_the_deadline(scripted: Scripted) -> None:
    graph, connect = scripted
    now = 0.0
    graph.asked.clear()

    def serve(asked: Asked) -> Said:
        nonlocal now
        now += 40
        return Said(body=page(str(now), link=f"{graph.url}/{now}"))

    graph.script = serve
    pages = connect(deadline=100.0, clock=lambda: now).list_devices()
    with pytest.raises(MicrosoftError) as failure:
        list(pages)
    assert failure.value.cause is Cause.DEADLINE
    assert len(graph.asked) == 3


@pytest.mark.parametrize("status", [408, 409, 423, 509])
def test_what_passes_in_a_moment_is_asked_again_when_graph_says_so(scripted: Scripted, status: int) -> None:
    graph, connect = scripted
    graph.says(Said(status, {"error": {"code": "Any"}}, {"Retry-After": "0.2"}), Said(body=page("a")))
    started = time.monotonic()
    assert [len(one) for one in connect().list_devices()] == [1]
    assert time.monotonic() - started >= 0.2


FORBIDDEN_INSIDE = Said(401, {"error": {"code": "UnknownError", "message": '{"ErrorCode":"Forbidden"}'}})


def test_a_401_with_forbidden_inside_passes_when_it_is_asked_again(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(*[FORBIDDEN_INSIDE] * 4, Said(body=page("a")))
    assert [len(one) for one in connect().list_devices()] == [1]


def test_one_that_stays_means_that_the_permission_was_removed(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.script = lambda _: FORBIDDEN_INSIDE
    with pytest.raises(MicrosoftError) as failure:
        list(connect(give_up_after=timedelta(seconds=0.2)).list_devices())
    assert failure.value.cause is Cause.PERMISSION_REMOVED


def test_a_proxys_page_blames_neither_the_customer_nor_the_permission(scripted: Scripted) -> None:
    graph, connect = scripted
    for status in (200, 401, 403, 404, 407):
        graph.says(Said(status, b"<html>Blocked by policy of ADAS-PROXY</html>"), Said(status, b"\n<!DOCTYPE html>"))
        graph.script = lambda _, status=status: Said(status, b"<html>Blocked by ADAS-PROXY</html>")  # type: ignore[misc]
        with pytest.raises(MicrosoftError, match="a web page in place of an answer") as failure:
            list(connect(give_up_after=timedelta(0)).list_devices())
        assert failure.value.cause is Cause.OUTAGE
        assert "ADAS" not in str(failure.value)


@pytest.mark.parametrize(
    "passing",
    [
        Said(body=page("a"), cut=True),
        Said(body=b'{"value": [{"id": "a"'),
        Said(502, b"<html>Bad gateway</html>"),
        Said(429, {}, {"Retry-After": "0"}),
    ],
    ids=["connection lost", "body breaks off", "gateway", "throttled"],
)
def test_what_passes_is_asked_again(scripted: Scripted, passing: Said) -> None:
    graph, connect = scripted
    graph.says(passing, Said(body=page("a")))
    client = connect()
    with capture_logs() as logged:
        assert [len(one) for one in client.list_devices()] == [1]
    assert client.stats.retried == 1
    retried = [line for line in logged if line["event"] == "graph_request_retried"]
    assert len(retried) == 1
    assert all(line["request_id"] for line in logged)


def test_what_does_not_pass_fails_the_whole_list_even_on_a_late_page(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.script = lambda asked: (
        Said(504) if asked.target.startswith("/next") else Said(body=page("a", link=f"{graph.url}/next"))
    )
    pages = connect(give_up_after=timedelta(seconds=0.2)).list_devices()
    assert len(next(pages)) == 1
    with pytest.raises(MicrosoftError) as failure:
        next(pages)
    assert failure.value.cause is Cause.OUTAGE
    assert failure.value.status == 504


def test_microsofts_pause_that_outlasts_the_run_ends_it_at_once(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(throttled("3600"))
    with pytest.raises(MicrosoftError) as failure:
        list(connect(within=60).list_devices())
    assert failure.value.cause is Cause.THROTTLED
    assert failure.value.request_id == "t-1"


def test_a_server_error_is_asked_again_on_a_new_connection(scripted: Scripted) -> None:
    graph, connect = scripted
    link = f"{graph.url}/next"
    graph.says(Said(body=page("a", link=link)), throttled("0.01"), Said(503), Said(body=page("b")))
    list(connect().list_devices())
    _, throttled_at, failed_at, asked_again_at = (asked.connection for asked in graph.asked)
    assert throttled_at == failed_at != asked_again_at


def test_a_refused_token_is_replaced_once(scripted: Scripted) -> None:
    graph, connect = scripted
    refused = Said(401, {"error": {"code": "InvalidAuthenticationToken", "message": "Expired."}})
    graph.says(refused, Said(body=page("a")))
    assert [len(one) for one in connect().list_devices()] == [1]
    tokens = [asked.headers["authorization"] for asked in graph.asked]
    assert len(set(tokens)) == 2
    graph.says(refused, refused)
    with pytest.raises(MicrosoftError) as failure:
        list(connect().list_devices())
    assert failure.value.cause is Cause.UNEXPECTED
    assert failure.value.code == "InvalidAuthenticationToken"


def test_answers_may_be_compressed(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body=gzip.compress(orjson.dumps(page("a", "b"))), headers={"Content-Encoding": "gzip"}))
    assert [len(one) for one in connect().list_devices()] == [2]


def test_every_request_carries_an_id_of_its_own(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body=page("a", link=f"{graph.url}/next")), Said(body=page("b")))
    list(connect().list_devices())
    assert len({asked.headers["client-request-id"] for asked in graph.asked}) == 2


def test_closing_a_client_does_not_wait_for_a_pause_to_end(scripted: Scripted) -> None:
    graph, connect = scripted
    link = f"{graph.url}/next"
    graph.asked.clear()
    graph.script = lambda asked: throttled("100") if "/next" in asked.target else Said(body=page("a", link=link))
    client = connect()
    next(client.list_devices())
    while client.stats.retried == 0:
        time.sleep(0.01)
    client.close()
    assert len(graph.asked) == 2


def test_passwords_of_this_machine_do_not_replace_the_token(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, connect = scripted
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something")
    monkeypatch.setenv("NETRC", str(netrc))
    graph.says(Said(body=page("a")))
    list(connect().list_devices())
    assert graph.asked[0].headers["authorization"].startswith("Bearer ")


def test_a_redirect_is_not_followed(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(302, headers={"Location": "https://elsewhere.example/"}))
    with pytest.raises(MicrosoftError) as failure:
        list(connect().list_devices())
    assert failure.value.cause is Cause.UNEXPECTED


def test_what_is_logged_names_no_device(scripted: Scripted) -> None:
    graph, connect = scripted
    link = f"{graph.url}/v1.0/deviceManagement/managedDevices?$skiptoken=LastDeviceName%3d%27ADAS-LAPTOP%27"
    graph.says(Said(body=page("a", link=link)), throttled("0.01"), Said(400, {"error": {"message": "ADAS-LAPTOP"}}))
    with capture_logs() as logged, pytest.raises(MicrosoftError) as failure:
        list(connect().list_devices())
    assert logged
    assert "ADAS" not in f"{logged} {failure.value} {failure.value!r} {failure.value.args}"


@cache
def lasting(connect: Connect) -> GraphClient:
    """One client for all the examples."""
    return connect()


_record = st.fixed_dictionaries(
    {
        "id": st.sampled_from([f"id-{number}" for number in range(12)]),
        "deviceName": st.sampled_from(["A", "B", "Ç"]),
        "lastSyncDateTime": st.sampled_from(
            ["", "0001-01-01T00:00:00Z", "2026-10-01T08:00:00Z", "2026-10-01T08:00:00.1234567Z", "2026-10-02T08:00:00Z"]
        ),
    }
)


def leads_nowhere(split: list[list[dict[str, Any]]], number: int) -> bool:
    """Whether a page holds nothing but devices of pages before it and is not the last."""
    before = {record["id"] for one in split[:number] for record in one}
    return number + 1 < len(split) and bool(split[number]) and {one["id"] for one in split[number]} <= before


@settings(max_examples=60, deadline=None)
@given(split=st.lists(st.lists(_record, max_size=6), min_size=1, max_size=6))
def test_any_fleet_in_any_pages_with_gaps_repeats_and_renames_gives_each_device_once(
    scripted: Scripted, split: list[list[dict[str, Any]]]
) -> None:
    graph, connect = scripted

    def serve(asked: Asked) -> Said:
        number = int(asked.target.rpartition("page=")[2]) if "page=" in asked.target else 0
        more = {"@odata.nextLink": f"{graph.url}/v1.0/x?page={number + 1}"} if number + 1 < len(split) else {}
        return Said(body={"value": split[number], **more})

    graph.script = serve
    pages = lasting(connect).list_devices()
    if any(leads_nowhere(split, number) for number in range(len(split))):
        with pytest.raises(MicrosoftError, match="without a new device"):
            list(pages)
        return
    records = [record for one in pages for record in one]
    assert records == [record for one in split for record in one]
    devices = newest_by_id(map(managed_device, records))
    assert {device.intune_device_id for device in devices} == {record["id"] for record in records}
    assert len(devices) == len({record["id"] for record in records})


def test_pages_are_taken_one_at_a_time(scripted: Scripted) -> None:
    graph, connect = scripted

    def endless() -> Iterator[Said]:
        number = 0
        while True:
            number += 1
            yield Said(body=page(str(number), link=f"{graph.url}/page-{number}"))

    graph.asked.clear()
    answers = endless()
    graph.script = lambda _: next(answers)
    pages = connect().list_devices()
    for _ in range(3):
        next(pages)
    assert len(graph.asked) <= 4


def test_memory_stays_flat_while_pages_arrive(scripted: Scripted) -> None:
    graph, connect = scripted
    padding = "x" * 4000

    def serve(asked: Asked) -> Said:
        number = int(asked.target.rpartition("page=")[2]) if "page=" in asked.target else 0
        link = {"@odata.nextLink": f"{graph.url}/v1.0/x?page={number + 1}"} if number < 40 else {}
        return Said(
            body={"value": [{"id": f"{number}-{one}", "notes": f"{one}{padding}"} for one in range(250)], **link}
        )

    graph.script = serve
    pages = connect().list_devices()
    next(pages)
    tracemalloc.start()
    assert sum(map(len, pages)) == 40 * 250
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 40 pages of 1 MB; a few are alive at once, on both sides of the connection.
    assert most < 30 * 10**6
