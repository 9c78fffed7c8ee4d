"""Answers as no honest server gives them: one strange device costs nothing but itself, and nothing costs the process."""

import io
import logging
import socket
import subprocess
import sys
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from intune_pipeline.microsoft import transport
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.graph import DetailFailure, DeviceDetail, GraphClient
from intune_pipeline.microsoft.health import check_tenant, clock_skew
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.spoiling import Hostility
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.microsoft.conftest import Connect
from intune_pipeline_tests.microsoft.scripted_graph import Asked, Said, ScriptedGraph

READ: tuple[Hostility, ...] = ("byte_order_mark", "half_emoji", "stray_byte", "control_character", "not_a_number")
"""What is read all the same."""

REFUSED: dict[Hostility, str] = {
    "nested": "nested deeper than a record can be",
    "huge": "an answer of more than 64 MiB",
    "bomb": "unpacks to more than 100 times its size",
}
"""What is refused, and in which words."""


def spoil(sandbox: SandboxCloud, how: Any, page: int = 2) -> None:
    sandbox.faults.spoil_page, sandbox.faults.spoil_how = page, how


@pytest.mark.parametrize("how", READ)
def test_a_page_that_a_lenient_reader_reads_arrives_whole_at_the_first_try(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant, how: Hostility
) -> None:
    spoil(sandbox, how)
    client = connect()
    records = [record for page in client.list_devices(page_size=100) for record in page]
    assert {record["id"] for record in records} == set(tenant.devices)
    assert client.stats.retried == 0


def test_entries_that_are_no_devices_arrive_as_they_are(connect: Connect, sandbox: SandboxCloud) -> None:
    spoil(sandbox, "no_record")
    entries = [entry for page in connect().list_devices(page_size=100) for entry in page]
    assert len(entries) == 255
    assert [entry for entry in entries if not isinstance(entry, dict)] == [None, 7, "a device", []]


@pytest.mark.parametrize("how", REFUSED)
def test_a_page_that_is_refused_ends_the_list_in_one_sentence_at_the_first_try(
    connect: Connect, sandbox: SandboxCloud, how: Hostility
) -> None:
    spoil(sandbox, how)
    client = connect()
    with pytest.raises(MicrosoftError, match=REFUSED[how]) as failure:
        list(client.list_devices(page_size=100))
    assert failure.value.cause is Cause.LIST_INCOMPLETE
    assert failure.value.request_id
    assert client.stats.retried == 0


def test_a_compressed_bomb_costs_no_more_memory_than_a_page(connect: Connect, sandbox: SandboxCloud) -> None:
    spoil(sandbox, "bomb")
    client = connect()
    client.probe()
    pages = client.list_devices(page_size=100)
    tracemalloc.start()
    with pytest.raises(MicrosoftError):
        list(pages)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The sandbox makes the bomb in this process, from twice its 65 MiB.
    assert most < 3 * 2**20 * 65


@pytest.mark.parametrize("how", [*READ[1:], "nested", "huge"])
def test_one_hostile_detail_costs_the_other_nineteen_nothing(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant, how: Hostility
) -> None:
    sandbox.faults.spoilt_devices = {"device-00007": how}
    asked = list(tenant.devices)[:40]
    started = time.monotonic()
    details = dict(connect(give_up_after=timedelta(seconds=0.5)).details(asked))
    assert time.monotonic() - started < 20
    failed = {key: value.cause for key, value in details.items() if isinstance(value, DetailFailure)}
    expected = {} if how in READ else {"device-00007": Cause.UNEXPECTED}
    assert failed == expected
    assert len(details) == 40
    assert all(isinstance(detail, DeviceDetail) for key, detail in details.items() if key not in failed)


def test_a_list_that_goes_on_for_ever_ends_at_the_first_page_that_brings_nothing_new(
    connect: Connect, sandbox: SandboxCloud
) -> None:
    spoil(sandbox, "endless", page=1)
    with pytest.raises(MicrosoftError, match="without a new device") as failure:
        list(connect().list_devices(page_size=100))
    assert failure.value.cause is Cause.LIST_INCOMPLETE
    assert sandbox.requests.count("/managedDevices") == 2


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(
    connect: Connect, sandbox: SandboxCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(give_up_after=timedelta(0))
    client.probe()
    spoil(sandbox, "drip", page=1)
    monkeypatch.setattr(transport, "TIMEOUTS", (1.0, 0.4))
    started = time.monotonic()
    with pytest.raises(MicrosoftError, match="no answer in time") as failure:
        list(client.list_devices())
    assert failure.value.cause is Cause.OUTAGE
    assert 0.3 < time.monotonic() - started < 3


def test_no_answer_may_last_longer_than_the_run(connect: Connect, sandbox: SandboxCloud) -> None:
    spoil(sandbox, "drip", page=1)
    started = time.monotonic()
    with pytest.raises(MicrosoftError):
        list(connect(within=1.0).list_devices())
    assert time.monotonic() - started < 3


def test_a_connection_is_good_for_the_next_request_however_long_it_rested(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TIMEOUTS", (1.0, 0.3))
    client = connect(give_up_after=timedelta(0))
    for _ in range(3):
        client.probe()
        time.sleep(0.4)


def test_a_whole_body_in_a_page_of_a_proxy_is_an_outage(connect: Connect, sandbox: SandboxCloud) -> None:
    sandbox.faults.spoil_times = 1
    spoil(sandbox, "web_page")
    client = connect()
    assert sum(map(len, client.list_devices(page_size=100))) == 250
    assert client.stats.retried == 1


@pytest.fixture
def proxied(
    scripted: tuple[ScriptedGraph, Connect], sandbox: SandboxCloud, tenant: SandboxTenant, tmp_path: Path
) -> tuple[ScriptedGraph, MicrosoftCloud, Credential, str]:
    """Something between us and Entra that answers in its place."""
    proxy, _ = scripted
    proxy.asked.clear()
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(sandbox.ca_bundle.read_bytes() + proxy.ca_pem)
    cloud = MicrosoftCloud(proxy.url, sandbox.graph_url, bundle)
    return proxy, cloud, Credential(sandbox.client_id, sandbox.client_secret), tenant.tenant_id


def entra(proxy: ScriptedGraph, asked: Asked, *tokens: Said) -> Said:
    """Discovery as Entra words it, and one of these answers for each token request."""
    if "openid-configuration" in asked.target:
        base = f"{proxy.url}/t"
        return Said(body={"issuer": base, "authorization_endpoint": f"{base}/a", "token_endpoint": f"{base}/token"})
    turn = sum("/token" in one.target for one in proxy.asked)
    return tokens[min(turn, len(tokens)) - 1]


PORTAL = Said(200, b"<html>captive portal of ADAS-HOTEL</html>", {"Content-Type": "text/html"})


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What loggers print in a process where somebody configured logging, as Dagster does."""
    output = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(output)])
    return output


_PROBE = """
import sys, time
from datetime import timedelta
from pathlib import Path
from intune_pipeline.microsoft.causes import MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.graph import GraphClient
login, graph, bundle, tenant_id = sys.argv[1:]
cloud = MicrosoftCloud(login, graph, Path(bundle))
with GraphClient(cloud, Credential("app", "secret"), tenant_id, deadline=time.monotonic() + 30, give_up_after=timedelta(0)) as client:
    try:
        client.probe()
    except MicrosoftError as error:
        print(error)
"""


def test_a_process_that_configures_no_logging_prints_nothing_of_a_proxys_page_either(
    proxied: tuple[ScriptedGraph, MicrosoftCloud, Credential, str],
) -> None:
    proxy, cloud, _, tenant_id = proxied
    proxy.script = lambda asked: entra(proxy, asked, PORTAL)
    arguments = [cloud.login_url, cloud.graph_url, str(cloud.ca_bundle), tenant_id]
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments], check=False, capture_output=True, text=True, timeout=240
    )
    assert "a web page in place of an answer" in ran.stdout
    assert ran.stderr == ""


@pytest.mark.parametrize("status", [200, 302, 403, 404, 407, 503])
def test_a_proxys_page_in_place_of_a_token_is_one_sentence_and_nothing_else_is_printed(
    proxied: tuple[ScriptedGraph, MicrosoftCloud, Credential, str],
    printed: io.StringIO,
    status: int,
) -> None:
    proxy, cloud, credential, tenant_id = proxied
    proxy.script = lambda asked: entra(proxy, asked, Said(status, PORTAL.body, {"Location": "https://a.example/"}))
    options: dict[str, Any] = {"deadline": time.monotonic() + 30, "give_up_after": timedelta(0)}
    with GraphClient(cloud, credential, tenant_id, **options) as client, pytest.raises(MicrosoftError) as failure:
        client.probe()
    assert failure.value.cause is Cause.OUTAGE
    assert "a web page in place of an answer" in str(failure.value)
    assert "HOTEL" not in str(failure.value)
    assert printed.getvalue() == ""


def test_it_is_asked_again_until_entra_itself_answers(
    proxied: tuple[ScriptedGraph, MicrosoftCloud, Credential, str],
) -> None:
    proxy, cloud, credential, tenant_id = proxied
    refusal = {"error": "unauthorized_client", "error_codes": [700016], "error_description": "AADSTS700016: Words."}
    proxy.script = lambda asked: entra(proxy, asked, PORTAL, PORTAL, Said(400, refusal))
    options: dict[str, Any] = {"deadline": time.monotonic() + 60, "give_up_after": timedelta(seconds=30)}
    with GraphClient(cloud, credential, tenant_id, **options) as client, pytest.raises(MicrosoftError) as failure:
        client.probe()
    assert failure.value.cause is Cause.CONSENT_MISSING
    assert client.stats.retried == 2


@pytest.mark.parametrize("odd", [b"[1]", b'"text"', b"null", b"\xef\xbb\xbf{}", b'{"access_token": null}', b"{" * 5000])
def test_whatever_stands_at_the_token_endpoint_is_one_sentence(
    proxied: tuple[ScriptedGraph, MicrosoftCloud, Credential, str],
    printed: io.StringIO,
    odd: bytes,
) -> None:
    proxy, cloud, credential, tenant_id = proxied
    proxy.script = lambda asked: entra(proxy, asked, Said(200, odd))
    options: dict[str, Any] = {"deadline": time.monotonic() + 30, "give_up_after": timedelta(0)}
    with GraphClient(cloud, credential, tenant_id, **options) as client, pytest.raises(MicrosoftError):
        client.probe()
    assert printed.getvalue() == ""


def test_doctor_calls_a_proxys_page_no_authority(
    proxied: tuple[ScriptedGraph, MicrosoftCloud, Credential, str],
) -> None:
    proxy, cloud, credential, tenant_id = proxied
    proxy.script = lambda _: PORTAL
    [step] = check_tenant(cloud, credential, tenant_id)
    assert (step.name, step.passed) == ("authority", False)
    assert "a web page in place of an answer" in step.sentence


def test_a_certificate_for_another_name_is_not_trusted(
    proxied: tuple[ScriptedGraph, MicrosoftCloud, Credential, str],
) -> None:
    proxy, cloud, credential, tenant_id = proxied
    impostor = MicrosoftCloud(proxy.url.replace("127.0.0.1", "localhost"), cloud.graph_url, cloud.ca_bundle)
    options: dict[str, Any] = {"deadline": time.monotonic() + 30, "give_up_after": timedelta(0)}
    with GraphClient(impostor, credential, tenant_id, **options) as client, pytest.raises(MicrosoftError) as failure:
        client.probe()
    assert "certificate is not trusted" in str(failure.value)
    assert proxy.asked == []


def test_a_server_that_takes_the_connection_and_says_nothing_is_not_waited_for(
    cloud: MicrosoftCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TIMEOUTS", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = MicrosoftCloud(f"https://127.0.0.1:{silent.getsockname()[1]}", cloud.graph_url, cloud.ca_bundle)
        started = time.monotonic()
        with pytest.raises(MicrosoftError, match="no answer in time"):
            clock_skew(mute)
    assert time.monotonic() - started < 3
