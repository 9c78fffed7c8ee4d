"""One request to Graph: what goes along with it, and which tenant and request an error names."""

import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.quota import Quota
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.microsoft.conftest import Connect
from intune_pipeline_tests.microsoft.scripted_graph import Said, ScriptedGraph

Scripted = tuple[ScriptedGraph, Connect]


def refused(ask: Callable[[], object]) -> MicrosoftError:
    with pytest.raises(MicrosoftError) as failure:
        ask()
    return failure.value


def test_a_request_carries_an_id_that_microsoft_is_asked_to_send_back(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(), Said(body={"responses": [{"id": "0", "status": 200, "body": {"id": "d1"}}]}))
    client = connect()
    client.probe()
    assert client.exists(["d1"]) == {"d1": True}

    get, post = graph.asked
    assert (get.method, post.method) == ("GET", "POST")
    for asked in (get, post):
        assert str(UUID(asked.headers["client-request-id"])) == asked.headers["client-request-id"]
        assert asked.headers["return-client-request-id"] == "true"
        assert asked.headers["accept"] == "application/json"
    assert get.headers["client-request-id"] != post.headers["client-request-id"]
    assert post.headers["content-type"] == "application/json"
    assert "content-type" not in get.headers


@pytest.mark.parametrize(
    "answer",
    [
        Said(400, {"error": {"code": "BadRequest"}}),
        Said(200, b"{"),
        Said(200, b"<html>"),
        Said(200, b"[" * 100_000),
        Said(200, b"7"),
    ],
    ids=["refused", "breaks off", "web page", "nested", "no object"],
)
def test_an_error_without_microsofts_id_names_the_one_that_was_sent(scripted: Scripted, answer: Said) -> None:
    graph, connect = scripted
    graph.says(answer)
    error = refused(connect(give_up_after=timedelta(0)).probe)
    assert error.request_id == graph.asked[0].headers["client-request-id"]


def test_an_error_names_microsofts_id_where_there_is_one(scripted: Scripted) -> None:
    graph, connect = scripted
    inner = {"error": {"code": "BadRequest", "innerError": {"request-id": "r-2"}}}
    graph.says(Said(400, inner, {"request-id": "r-1"}), Said(400, inner), Said(200, b"7", {"request-id": "r-3"}))
    client = connect(give_up_after=timedelta(0))
    assert [refused(client.probe).request_id for _ in range(3)] == ["r-1", "r-2", "r-3"]


def test_every_answer_is_logged_by_its_request_id_and_no_address(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(503, headers={"request-id": "r-1"}), Said(headers={"request-id": "r-2"}))
    client = connect()
    client.tokens.token()
    with capture_logs() as logged:
        client.probe()
    first, retried, second = logged
    assert first == {
        "event": "graph_request",
        "log_level": "debug",
        "tenant_id": first["tenant_id"],
        "what": "probe",
        "status": 503,
        "request_id": "r-1",
    }
    assert second == {**first, "status": 200, "request_id": "r-2"}
    assert retried == {
        "event": "graph_request_retried",
        "log_level": "warning",
        "tenant_id": first["tenant_id"],
        "what": "probe",
        "cause": "outage",
        "status": 503,
        "request_id": "r-1",
        "note": "",
        "pause": retried["pause"],
    }


def test_an_answer_that_breaks_off_is_an_outage_with_the_id_of_the_request(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(cut=True))
    error = refused(connect(give_up_after=timedelta(0)).probe)
    assert (error.cause, error.status, error.note) == (Cause.OUTAGE, None, "a body that breaks off")
    assert error.request_id == graph.asked[0].headers["client-request-id"]


def test_after_the_deadline_nothing_is_asked_and_the_error_says_which_tenant_it_was(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant
) -> None:
    client = connect(within=-1)
    error = refused(client.probe)
    assert error.cause is Cause.DEADLINE
    assert str(error).endswith(f"(tenant {tenant.tenant_id}).")
    assert sandbox.requests.count("/managedDevices") == 0


def test_a_quota_that_lasts_beyond_the_deadline_ends_the_run(connect: Connect, tenant: SandboxTenant) -> None:
    client = connect(within=2, quota=Quota(1, timedelta(seconds=60)))
    client.probe()
    error = refused(client.probe)
    assert error.cause is Cause.THROTTLED
    assert str(error).endswith(f"(tenant {tenant.tenant_id}, the run's deadline passed).")


@pytest.mark.parametrize(("now", "is_asked"), [(4.0, True), (6.0, False)])
def test_the_deadline_is_a_time_of_the_clients_own_clock(connect: Connect, now: float, is_asked: bool) -> None:
    client = connect(deadline=5.0, clock=lambda: now)
    if is_asked:
        client.probe()
    else:
        assert refused(client.probe).cause is Cause.DEADLINE


def test_closing_a_client_does_not_wait_for_an_answer_under_way(connect: Connect, sandbox: SandboxCloud) -> None:
    sandbox.faults.spoil_page, sandbox.faults.spoil_how = 2, "drip"
    client = connect()
    next(client.list_devices(page_size=100))
    started = time.monotonic()
    client.close()
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("status", [500, 503])
def test_a_connection_is_used_again_until_a_server_fails(scripted: Scripted, status: int) -> None:
    graph, connect = scripted
    graph.says(Said(), Said(), Said(status), Said())
    client = connect()
    for _ in range(3):
        client.probe()
    first, second, failing, last = (asked.connection for asked in graph.asked)
    assert first == second == failing != last


@pytest.mark.parametrize("body", [{}, b"[" * 100_000], ids=["read", "not read"])
def test_a_list_that_is_not_found_is_no_list(scripted: Scripted, body: object) -> None:
    graph, connect = scripted
    graph.says(Said(404, body))
    error = refused(lambda: list(connect().list_devices()))
    assert (error.cause, error.status) == (Cause.LIST_INCOMPLETE, 404)
