"""Another process changes a running sandbox over HTTPS."""

from typing import Any

import pytest

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.sandbox.conftest import DEVICES, GraphClient, TrustingSession


class Remote:
    """The control endpoints as another process sees them."""

    def __init__(self, cloud: SandboxCloud, session: TrustingSession) -> None:
        self._base = f"{cloud.login_url}/_sandbox"
        self._session = session

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self._session.request(method, f"{self._base}/{path}", json=body)
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
def remote(cloud: SandboxCloud, session: TrustingSession) -> Remote:
    return Remote(cloud, session)


def test_faults_are_set_one_by_one_and_reset_together(cloud: SandboxCloud, remote: Remote) -> None:
    remote.call("POST", "faults", {"throttle_every": 5})
    status, shown = remote.call("POST", "faults", {"retry_after": None, "failing_devices": ["x"]})
    assert status == 200
    assert (shown["throttle_every"], shown["retry_after"], shown["failing_devices"]) == (5, None, ["x"])
    assert cloud.faults.throttle_every == 5
    remote.call("DELETE", "faults")
    assert cloud.faults.throttle_every is None
    assert cloud.faults.retry_after == 1


@pytest.mark.parametrize("body", [{"throttle_every": "often"}, {"typo": 1}, [1]])
def test_senseless_faults_are_refused_and_change_nothing(cloud: SandboxCloud, remote: Remote, body: Any) -> None:
    status, shown = remote.call("POST", "faults", body)
    assert status == 400
    assert shown["error"]
    assert cloud.faults.throttle_every is None


def test_a_tenants_switches_devices_and_users_are_changed(
    remote: Remote, graph: GraphClient, tenant: SandboxTenant
) -> None:
    first, second = list(tenant.devices)[:2]
    status, shown = remote.call(
        "POST",
        f"tenants/{tenant.tenant_id}",
        {
            "conditional_access": True,
            "update": {first: {"model": "Changed"}},
            "remove": [second],
            "add": [{"id": "new", "deviceName": "new"}],
            "primary_users": {
                first: {"id": "u", "display_name": "U", "user_principal_name": "u@acme.example"},
                "new": None,
            },
        },
    )
    assert status == 200
    assert (shown["name"], shown["devices"], shown["conditional_access"]) == ("acme", 60, True)
    device = graph.get(f"{DEVICES}/{first}").json()
    assert (device["model"], device["userPrincipalName"]) == ("Changed", "u@acme.example")
    assert second not in tenant.devices


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("tenants/{}", {"typo": 1}, 400), ("tenants/{}", {"remove": ["nobody"]}, 404), ("tenants/none", {}, 404)],
)
def test_what_cannot_be_changed_is_said(
    remote: Remote, tenant: SandboxTenant, path: str, body: dict[str, Any], status: int
) -> None:
    answered, shown = remote.call("POST", path.format(tenant.tenant_id), body)
    assert answered == status
    assert shown["error"]


def test_requests_are_shown_and_forgotten(remote: Remote, graph: GraphClient) -> None:
    graph.get(f"{DEVICES}?$top=1")
    _, shown = remote.call("GET", "requests")
    assert shown["busiest_window"] == 1
    assert shown["requests"][-1]["path"] == DEVICES
    assert remote.call("DELETE", "requests") == (204, None)
    assert remote.call("GET", "requests")[1] == {"busiest_window": 0, "requests": []}


def test_the_environment_and_sign_in_tokens_are_handed_out(cloud: SandboxCloud, remote: Remote) -> None:
    assert remote.call("GET", "environment") == (200, cloud.environment())
    assert remote.call("POST", "sign-in-tokens/acme-primary")[0] == 200
    assert remote.call("POST", "sign-in-tokens/nobody")[0] == 404
