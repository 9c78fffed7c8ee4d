"""Graph answers as DOMAIN.md section 2 says."""

import pytest
import requests

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import DirectoryUser, SandboxTenant
from intune_pipeline_tests.sandbox.conftest import DEVICES, GraphClient, TrustingSession

DANA = DirectoryUser(
    id="d0000000-0000-0000-0000-000000000001", display_name="Dana Doe", user_principal_name="d@x.example"
)


@pytest.fixture
def supervised(tenant: SandboxTenant) -> str:
    return next(device_id for device_id, record in tenant.devices.items() if record["activationLockBypassCode"])


def test_pages_together_are_the_whole_fleet(graph: GraphClient, tenant: SandboxTenant) -> None:
    pages = list(graph.pages("$top=7"))
    assert [page["@odata.count"] for page in pages] == [7] * 8 + [4]
    listed = [device for page in pages for device in page["value"]]
    assert {device["id"] for device in listed} == tenant.devices.keys()
    assert [device["deviceName"] for device in listed] == sorted(device["deviceName"] for device in listed)


def test_a_page_holds_a_thousand_devices_at_most(graph: GraphClient, tenant: SandboxTenant) -> None:
    for number in range(1000):
        tenant.add({"id": f"extra-{number}", "deviceName": f"extra {number}"})
    assert [page["@odata.count"] for page in graph.pages("$top=5000")] == [1000, 60]


def test_select_decides_what_is_shown_and_survives_paging(graph: GraphClient) -> None:
    for device in graph.listed("$select=serialNumber,model&$top=9"):
        assert list(device) == ["id", "serialNumber", "model"]


@pytest.mark.parametrize("name", ["chassisType", "ownerType", "hardwareInformation", "serialnumber"])
def test_selecting_what_only_beta_or_nobody_has_is_refused(graph: GraphClient, name: str) -> None:
    answer = graph.get(f"{DEVICES}?$select=id,{name}")
    assert answer.status_code == 400
    assert f"'{name}'" in answer.json()["error"]["message"]


def test_a_filter_is_ignored_without_a_word(graph: GraphClient, tenant: SandboxTenant) -> None:
    assert len(graph.listed("$filter=managedDeviceOwnerType eq 'company'")) == len(tenant)


def test_details_are_shown_by_a_single_get_that_selects_them_and_nowhere_else(
    graph: GraphClient, tenant: SandboxTenant, supervised: str
) -> None:
    code = tenant.details(supervised)["activationLockBypassCode"]
    selected = graph.get(f"{DEVICES}/{supervised}?$select=activationLockBypassCode").json()
    assert selected["activationLockBypassCode"] == code
    assert graph.get(f"{DEVICES}/{supervised}").json()["activationLockBypassCode"] is None
    for device in graph.listed("$select=id,activationLockBypassCode,physicalMemoryInBytes,udid"):
        assert device["activationLockBypassCode"] is None
        assert device["physicalMemoryInBytes"] == 0
        assert device["udid"] is None


def test_a_list_shows_seconds_and_empty_users_and_a_get_fractions_and_nulls(
    graph: GraphClient, tenant: SandboxTenant
) -> None:
    nobodys = next(device_id for device_id, record in tenant.devices.items() if record["userId"] is None)
    listed = next(device for device in graph.listed() if device["id"] == nobodys)
    single = graph.get(f"{DEVICES}/{nobodys}").json()
    assert (len(listed["enrolledDateTime"]), listed["userPrincipalName"]) == (len("2026-01-31T12:00:00Z"), "")
    assert (len(single["enrolledDateTime"]), single["userPrincipalName"]) == (len("2026-01-31T12:00:00.1234567Z"), None)


def test_a_device_that_is_not_there_is_a_404_with_json_in_its_message(graph: GraphClient) -> None:
    answer = graph.get(f"{DEVICES}/nobody")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "ResourceNotFound"
    assert answer.json()["error"]["message"].startswith('{\r\n  "_version": 3')


def test_answers_carry_both_request_ids(graph: GraphClient) -> None:
    headers = graph.get(f"{DEVICES}?$top=1", **{"client-request-id": "mine"}).headers
    assert headers["client-request-id"] == "mine"
    assert headers["request-id"] not in {"", "mine"}
    assert "ServerInfo" in headers["x-ms-ags-diagnostic"]


def test_changes_are_seen_by_the_next_request(graph: GraphClient, tenant: SandboxTenant) -> None:
    first, second = list(tenant.devices)[:2]
    assert len(graph.listed()) == 60
    tenant.update(first, model="Changed")
    tenant.remove(second)
    tenant.add({"id": "new", "deviceName": "new"})
    models = {device["id"]: device.get("model") for device in graph.listed()}
    assert models[first] == "Changed"
    assert "new" in models
    assert second not in models


def test_a_rename_between_two_pages_shows_a_device_twice(graph: GraphClient, tenant: SandboxTenant) -> None:
    pages = graph.pages("$top=30")
    first = next(pages)["value"]
    tenant.update(first[0]["id"], deviceName="￿ renamed to the end")
    rest = [device["id"] for page in pages for device in page["value"]]
    assert first[0]["id"] in rest


def test_users_shows_the_primary_user_while_the_list_may_show_who_enrolled(
    graph: GraphClient, tenant: SandboxTenant
) -> None:
    device_id, record = next((one, record) for one, record in tenant.devices.items() if record["userId"])
    tenant.set_primary_user(device_id, DANA, listed=False)
    assert graph.get(f"{DEVICES}/{device_id}/users?$select=id,displayName").json()["value"] == [
        {"id": DANA.id, "displayName": "Dana Doe", "userPrincipalName": "d@x.example", "mail": ""}
    ]
    assert graph.get(f"{DEVICES}/{device_id}").json()["userId"] == record["userId"]
    tenant.set_primary_user(device_id, None)
    assert graph.get(f"{DEVICES}/{device_id}/users").json()["value"] == []
    assert graph.get(f"{DEVICES}/{device_id}").json()["userId"] is None


def test_users_may_show_nothing_but_ids(graph: GraphClient, tenant: SandboxTenant) -> None:
    device_id = next(iter(tenant.devices))
    tenant.set_primary_user(device_id, DANA)
    tenant.bare_users = True
    (user,) = graph.get(f"{DEVICES}/{device_id}/users").json()["value"]
    assert user == {"id": DANA.id, "displayName": None, "userPrincipalName": None, "mail": None}


def test_a_batch_answers_each_item_by_its_id_in_no_particular_order(graph: GraphClient, tenant: SandboxTenant) -> None:
    known = list(tenant.devices)[:19]
    answer = graph.batch(
        *(f"/deviceManagement/managedDevices/{one}?$select=id" for one in known), "/deviceManagement/managedDevices/no"
    )
    responses = {response["id"]: response for response in answer.json()["responses"]}
    assert answer.status_code == 200
    assert [responses[str(number)]["body"]["id"] for number in range(19)] == known
    assert responses["19"]["status"] == 404
    assert [response["id"] for response in answer.json()["responses"]] != [str(number) for number in range(20)]


def test_a_batch_of_twenty_one_is_refused(graph: GraphClient) -> None:
    assert graph.batch(*["/deviceManagement/managedDevices/no"] * 21).status_code == 400


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"requests": 3}', b'{"requests": [{"id": "1"}]}', b'{"requests": []}']
)
def test_a_malformed_batch_is_refused(cloud: SandboxCloud, graph: GraphClient, body: bytes) -> None:
    answer = graph.post("/v1.0/$batch", body)
    assert answer.status_code == 400


def test_without_a_good_token_nothing_is_shown(
    cloud: SandboxCloud, session: TrustingSession, tenant: SandboxTenant
) -> None:
    for token in ("", "Bearer ", "Bearer nonsense", f"Bearer {cloud.sign_in_token('acme-primary')}"):
        answer = session.get(f"{cloud.graph_url}{DEVICES}", headers={"Authorization": token})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"
        assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("switch", "value", "status", "code"),
    [
        ("consented", False, 401, "Authorization_IdentityNotFound"),
        ("role_granted", False, 403, "Forbidden"),
        ("intune_licensed", False, 400, "BadRequest"),
    ],
)
def test_a_tenants_switches_act_at_once(
    graph: GraphClient, tenant: SandboxTenant, switch: str, value: bool, status: int, code: str
) -> None:
    setattr(tenant, switch, value)
    answer = graph.get(f"{DEVICES}?$top=1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_what_is_not_there_at_all_is_refused(graph: GraphClient) -> None:
    answer = graph.get("/v1.0/users")
    assert answer.status_code == 400
    assert "segment" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", [DEVICES.removeprefix("/v1.0"), DEVICES.replace("v1.0", "beta"), "/"])
def test_only_version_one_is_there(graph: GraphClient, path: str) -> None:
    assert graph.get(path).status_code == 400


def test_a_client_that_does_not_trust_the_sandbox_gets_nowhere(cloud: SandboxCloud) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(cloud.graph_url, timeout=5, verify=True)


def test_the_log_counts_batch_items_one_by_one(cloud: SandboxCloud, graph: GraphClient, tenant: SandboxTenant) -> None:
    cloud.requests.clear()
    graph.batch(*(f"/deviceManagement/managedDevices/{one}" for one in list(tenant.devices)[:20]))
    graph.get(f"{DEVICES}?$top=1")
    assert [request.items for request in cloud.requests] == [20, 1]
    assert cloud.requests.busiest_window(tenant.tenant_id) == 21
    assert cloud.requests.busiest_window("somebody else") == 0
    assert cloud.requests.count("/$batch") == 20
