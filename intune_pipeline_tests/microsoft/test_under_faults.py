"""A bad day at Microsoft: everything arrives all the same, and never faster than allowed."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from intune_pipeline.microsoft import transport
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.graph import DeviceDetail, GraphClient
from intune_pipeline.microsoft.quota import Quota
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.faults import Spoiling
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.microsoft.conftest import Connect


def by_id(client: GraphClient) -> dict[str, Any]:
    return {record["id"]: record for page in client.list_devices(page_size=50) for record in page}


def test_throttled_dropped_and_failing_answers_change_nothing_in_what_arrives(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant
) -> None:
    expected = by_id(connect())
    for name, value in {
        "throttle_every": 5,
        "drop_connection_every": 7,
        "error_rate": 0.1,
        "error_statuses": (503,),
    }.items():
        setattr(sandbox.faults, name, value)
    client = connect()
    assert by_id(client) == expected
    details = dict(client.details(list(tenant.devices)[:80]))
    assert len(details) == 80
    assert all(isinstance(detail, DeviceDetail) for detail in details.values())
    assert client.stats.throttled > 0
    assert client.stats.retried > client.stats.throttled
    assert client.stats.seconds_waited > 0


def test_a_page_that_breaks_off_in_its_body_is_read_again(connect: Connect, sandbox: SandboxCloud) -> None:
    sandbox.faults.spoil_page, sandbox.faults.spoil_times = 2, 1
    client = connect()
    assert [len(page) for page in client.list_devices(page_size=100)] == [100, 100, 50]
    assert client.stats.retried == 1


@pytest.mark.parametrize("how", ["cut", "repeat_link", "foreign_link", "no_value"])
def test_a_page_that_stays_spoilt_fails_the_list(connect: Connect, sandbox: SandboxCloud, how: Spoiling) -> None:
    sandbox.faults.spoil_page, sandbox.faults.spoil_how = 2, how
    with pytest.raises(MicrosoftError) as failure:
        list(connect(give_up_after=timedelta(seconds=0.1)).list_devices(page_size=100))
    assert failure.value.cause is (Cause.OUTAGE if how == "cut" else Cause.LIST_INCOMPLETE)


def test_the_rate_stays_below_the_quota_in_every_window_whatever_is_asked_and_by_whom(
    connect: Connect, sandbox: SandboxCloud, tenant: SandboxTenant
) -> None:
    sandbox.faults.throttle_every = 5
    sandbox.faults.retry_after = None
    quota = Quota(requests=60, window=timedelta(seconds=1.5))
    list(connect(quota=quota).list_devices(page_size=50))
    list(connect(quota=quota).details(list(tenant.devices)[:100]))
    asked = sum(request.items for request in sandbox.requests if request.path.startswith("/v1.0/"))
    assert asked > 120
    assert sandbox.requests.busiest_window(tenant.tenant_id, seconds=1.2) <= 60


def test_a_silent_server_is_given_up_not_waited_for(
    connect: Connect, sandbox: SandboxCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TIMEOUTS", (1.0, 0.1))
    client = connect(give_up_after=timedelta(0))
    client.probe()
    sandbox.faults.slow_seconds = 1
    with pytest.raises(MicrosoftError, match="no answer in time") as failure:
        client.probe()
    assert failure.value.cause is Cause.OUTAGE


def test_a_throttled_entra_is_waited_for_too(connect: Connect, sandbox: SandboxCloud) -> None:
    sandbox.faults.throttle_tokens = True
    client = connect()
    patience = threading.Timer(0.2, lambda: setattr(sandbox.faults, "throttle_tokens", False))
    patience.start()
    client.probe()
    patience.join()
    assert client.stats.retried > 0
