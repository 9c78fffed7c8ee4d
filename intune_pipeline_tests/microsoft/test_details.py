"""Details, primary users and existence, asked in batches."""

import copy
import pickle
from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from intune_pipeline.domain.assignments import PrimaryUser
from intune_pipeline.microsoft.batches import IN_FLIGHT
from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.microsoft.graph import DETAIL_PROPERTIES, DetailFailure, DeviceDetail, Unanswered
from intune_pipeline.microsoft.quota import Quota
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import DirectoryUser, SandboxTenant
from intune_pipeline_tests.microsoft.conftest import CANARY, Connect
from intune_pipeline_tests.microsoft.scripted_graph import Asked, Said, ScriptedGraph

Scripted = tuple[ScriptedGraph, Connect]


def item(number: str, status: int = 200, body: Any = None, **headers: str) -> dict[str, Any]:
    return {"id": number, "status": status, "body": body or {"id": number}, "headers": headers}


def items_of(asked: Asked) -> list[dict[str, str]]:
    return list(orjson.loads(asked.body)["requests"])


def test_details_of_every_device_come_in_batches_of_twenty(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant
) -> None:
    client = connect()
    details = dict(client.details(tenant.devices))
    assert details.keys() == tenant.devices.keys()
    assert all(isinstance(detail, DeviceDetail) for detail in details.values())
    detail = details["device-00007"]
    assert isinstance(detail, DeviceDetail)
    assert detail["physicalMemoryInBytes"] == 17179869184
    assert detail["activationLockBypassCode"] == f"{CANARY}-7"
    assert set(DETAIL_PROPERTIES) <= set(detail)
    batches = Counter(request.items for request in sandbox.requests if request.path.endswith("$batch"))
    assert batches == {20: 12, 10: 1}
    assert client.stats.batch_items == 250


def test_a_secret_is_in_no_text_and_cannot_be_pickled_or_copied(connect: Connect) -> None:
    [(_, detail)] = connect().details(["device-00001"])
    assert isinstance(detail, DeviceDetail)
    assert CANARY in detail["activationLockBypassCode"]
    assert CANARY not in f"{detail} {detail!r} {[detail]}"
    for escape in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            escape(detail)


def test_a_device_that_is_gone_or_failing_costs_only_its_own_detail(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant
) -> None:
    sandbox.faults.failing_devices = frozenset({"device-00003"})
    asked = [*list(tenant.devices)[:25], "gone"]
    details = dict(connect(give_up_after=timedelta(seconds=0.3)).details(asked))
    failures = {key: value.cause for key, value in details.items() if isinstance(value, DetailFailure)}
    assert failures == {"device-00003": Cause.OUTAGE, "gone": Cause.NOT_FOUND}
    assert len(details) == 26


def test_a_throttled_item_waits_for_its_own_time_while_the_others_are_done(scripted: Scripted) -> None:
    graph, connect = scripted
    slow: list[str] = []

    def serve(asked: Asked) -> Said:
        answers = []
        for one in items_of(asked):
            if "/b?" in one["url"] and not slow:
                slow.append(one["url"])
                answers.append(item(one["id"], 429, **{"Retry-After": "0.2"}))
            else:
                answers.append(item(one["id"]))
        return Said(body={"responses": answers[::-1]})

    graph.asked.clear()
    graph.script = serve
    client = connect()
    assert [key for key, _ in client.details(["a", "b", "c"])] == ["a", "c", "b"]
    assert [len(items_of(asked)) for asked in graph.asked] == [3, 1]
    assert (client.stats.throttled, client.stats.retried) == (1, 1)


def test_an_item_left_out_of_the_answer_is_asked_again(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body={"responses": [item("0")]}), Said(body={"responses": [item("0")]}))
    assert len(dict(connect().details(["a", "b"]))) == 2


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"responses": None},
        {"responses": 7},
        {"responses": ["x", {"id": "0"}]},
        {"responses": [{"id": "0", "status": "200", "headers": [], "body": {}}]},
        {"responses": [{"id": "0", "status": 200, "headers": None, "body": None}]},
    ],
)
def test_an_answer_that_makes_no_sense_is_no_answer(scripted: Scripted, odd: dict[str, Any]) -> None:
    graph, connect = scripted
    graph.script = lambda _: Said(body=odd, headers={"request-id": "r-5"})
    details = dict(connect(give_up_after=timedelta(0)).details(["a"]))
    assert details == {"a": DetailFailure(Cause.OUTAGE, "r-5")}


@pytest.mark.parametrize("body", ["aGVsbG8=", [1], 7, True])
def test_an_answer_that_is_no_object_is_final_because_it_would_come_again(scripted: Scripted, body: Any) -> None:
    graph, connect = scripted
    graph.says(Said(body={"responses": [item("0") | {"body": body}]}, headers={"request-id": "r-2"}))
    assert dict(connect().details(["a"]))["a"] == DetailFailure(Cause.UNEXPECTED, "r-2")


def test_a_404_of_the_whole_batch_proves_nothing_about_any_device(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.script = lambda _: Said(404, {"error": {"code": "ResourceNotFound"}})
    assert connect().exists(["a", "b"]) == {"a": None, "b": None}


def test_one_refusal_of_an_item_is_forgiven_a_second_is_its_answer(scripted: Scripted) -> None:
    graph, connect = scripted
    refused = item("0", 401, {"error": {"code": "UnknownError"}}, **{"request-id": "r-1"})
    graph.says(Said(body={"responses": [refused]}), Said(body={"responses": [item("0")]}))
    assert isinstance(dict(connect().details(["a"]))["a"], DeviceDetail)
    graph.script = lambda _: Said(body={"responses": [refused]})
    assert dict(connect().details(["a"]))["a"] == DetailFailure(Cause.UNEXPECTED, "r-1")


def test_when_batches_fail_for_good_every_remaining_detail_does_and_nothing_is_raised(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.asked.clear()
    graph.script = lambda _: Said(403, {"error": {"code": "Forbidden"}}, {"request-id": "r-9"})
    details = dict(connect().details(str(number) for number in range(1000)))
    assert set(details.values()) == {DetailFailure(Cause.PERMISSION_REMOVED, "r-9")}
    assert len(details) == 1000
    assert len(graph.asked) <= IN_FLIGHT


def test_ids_cannot_reach_beyond_their_place_in_the_address(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body={"responses": [item("0")]}))
    dict(connect().details(["../users?x=1"]))
    assert items_of(graph.asked[0])[0]["url"].startswith("/deviceManagement/managedDevices/..%2Fusers%3Fx%3D1?")


def test_asking_about_nothing_asks_nothing(connect: Connect, sandbox: SandboxCloud) -> None:
    client = connect()
    assert (list(client.details([])), client.primary_users([]), client.exists([])) == ([], {}, {})
    assert len(sandbox.requests) == 0


def test_a_primary_user_a_definite_nobody_and_no_answer_are_told_apart(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant
) -> None:
    grace = DirectoryUser("user-2", "Grace Hopper", "grace@acme.example", "grace@acme.example")
    tenant.set_primary_user("device-00001", grace, listed=False)
    tenant.set_primary_user("device-00002", None, listed=False)
    sandbox.faults.failing_devices = frozenset({"device-00003"})
    users = connect(give_up_after=timedelta(seconds=0.2)).primary_users(
        ["device-00001", "device-00002", "device-00003", "gone"]
    )
    assert users["device-00001"] == PrimaryUser("user-2", "grace@acme.example", "grace@acme.example", "Grace Hopper")
    assert users["device-00002"] is None
    assert users["gone"] is None
    assert isinstance(users["device-00003"], Unanswered)


def test_a_primary_user_may_be_nothing_but_an_id(connect: Connect, tenant: SandboxTenant) -> None:
    tenant.bare_users = True
    assert connect().primary_users(["device-00001"]) == {"device-00001": PrimaryUser("user-1")}


def test_an_answer_without_users_is_no_answer(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body={"responses": [item("0", 200, {"unexpected": 1})]}))
    assert isinstance(connect().primary_users(["a"])["a"], Unanswered)


def test_a_device_named_twice_is_asked_about_once(connect: Connect) -> None:
    client = connect()
    assert len(list(client.details(["device-00001", "device-00001"]))) == 1
    assert client.stats.batch_items == 1


def test_users_the_application_may_not_read_are_a_definite_nobody(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body={"responses": [item("0", 403, {"error": {"code": "Forbidden"}})]}))
    assert connect().primary_users(["a"]) == {"a": None}


def test_only_a_404_proves_that_a_device_is_gone(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(
        Said(body={"responses": [item("0"), item("1", 404), item("2", 403), item("3", 400)]}),
    )
    assert connect().exists(["found", "gone", "forbidden", "odd"]) == {
        "found": True,
        "gone": False,
        "forbidden": None,
        "odd": None,
    }


def test_the_deadline_ends_waiting_for_details_but_keeps_those_there_are(
    connect: Connect, tenant: SandboxTenant
) -> None:
    quota = Quota(requests=40, window=timedelta(seconds=60))
    details = dict(connect(within=8, quota=quota).details(list(tenant.devices)[:100]))
    causes = [value.cause for value in details.values() if isinstance(value, DetailFailure)]
    assert len(details) == 100
    assert causes == [Cause.THROTTLED] * 60


def test_nothing_of_a_detail_is_logged(connect: Connect, sandbox: SandboxCloud) -> None:
    sandbox.faults.drop_connection_every = 2
    with capture_logs() as logged:
        list(connect().details([f"device-{number:05}" for number in range(60)]))
    assert logged
    assert CANARY not in str(logged)
