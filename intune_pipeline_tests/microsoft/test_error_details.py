"""An error names the tenant, Microsoft's request and what was wrong: what an operator needs and nothing more."""

import gzip
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import requests
from structlog.testing import capture_logs

from intune_pipeline.domain.assignments import PrimaryUser
from intune_pipeline.microsoft.bodies import WEB_PAGE
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, CredentialFileError, MicrosoftCloud
from intune_pipeline.microsoft.consent import verify_grant
from intune_pipeline.microsoft.error_answers import cause_of_token_answer, entra_code, entra_request_id
from intune_pipeline.microsoft.exchange import Traffic
from intune_pipeline.microsoft.graph import DeviceDetail, Unanswered
from intune_pipeline.microsoft.health import check_tenant, clock_skew
from intune_pipeline.microsoft.quota import Quota
from intune_pipeline.microsoft.sign_in import finish_sign_in, start_sign_in
from intune_pipeline.microsoft.tokens import REQUIRED_ROLE, TenantTokens
from intune_pipeline.microsoft.transport import RefusedAnswerError, reason
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.sandbox.tokens import TokenSigner
from intune_pipeline_tests.microsoft.browser import REDIRECT_URI
from intune_pipeline_tests.microsoft.conftest import Connect
from intune_pipeline_tests.microsoft.scripted_graph import Said, ScriptedGraph

Scripted = tuple[ScriptedGraph, Connect]
NOWHERE = "https://127.0.0.1:9"


def details(error: MicrosoftError) -> tuple[Cause, int | None, str, str]:
    return error.cause, error.status, error.code, error.note


def graphs(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "x"}}


# -- Graph ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(404, b"<html>Blocked</html>"), (Cause.OUTAGE, 404, "", WEB_PAGE)),
        (Said(200, b'{"value": ['), (Cause.OUTAGE, None, "", "a body that breaks off")),
        (Said(200, b"[]"), (Cause.LIST_INCOMPLETE, 200, "", "an answer that is no object")),
        (Said(200, {}), (Cause.LIST_INCOMPLETE, None, "", "a page without devices")),
        (
            Said(200, {"value": [], "@odata.nextLink": "https://elsewhere.example/"}),
            (Cause.LIST_INCOMPLETE, None, "", "a next page outside of Graph"),
        ),
        (
            Said(403, graphs("Authorization_RequestDenied")),
            (Cause.PERMISSION_REMOVED, 403, "Authorization_RequestDenied", ""),
        ),
        (Said(503, graphs("serviceNotAvailable")), (Cause.OUTAGE, 503, "serviceNotAvailable", "")),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_tenant_and_request(
    scripted: Scripted, said: Said, expected: tuple[Cause, int | None, str, str]
) -> None:
    graph, connect = scripted
    client = connect(give_up_after=timedelta(0))
    for headers in ({"request-id": "r-1"}, {}):
        graph.says(Said(said.status, said.body, headers))
        with pytest.raises(MicrosoftError) as failure:
            list(client.list_devices())
        assert details(failure.value) == expected
        assert failure.value.tenant_id == client.tokens.claims().tenant_id
        (asked,) = graph.asked
        assert failure.value.request_id == headers.get("request-id", asked.headers["client-request-id"])
    assert client.stats.throttled == 0


def test_a_throttled_page_that_cannot_wait_is_counted_and_says_for_how_long(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(429, graphs("TooManyRequests"), {"Retry-After": "300", "request-id": "r-1"}))
    client = connect(within=60)
    with pytest.raises(MicrosoftError) as failure:
        client.probe()
    assert details(failure.value) == (Cause.THROTTLED, 429, "TooManyRequests", "")
    assert failure.value.retry_after == 300
    assert client.stats.throttled == 1


def test_after_a_401_a_new_token_is_sent(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(401, graphs("InvalidAuthenticationToken")), Said(body={"value": []}))
    connect().probe()
    first, second = (asked.headers["authorization"] for asked in graph.asked)
    assert first != second
    assert all(sent.startswith("Bearer ey") for sent in (first, second))
    assert UUID(graph.asked[0].headers["client-request-id"])


def test_nothing_is_sent_after_the_deadline_or_beyond_the_quota(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.says(Said(body={"value": []}))
    late = connect(within=-1)
    with pytest.raises(MicrosoftError) as failure:
        late.probe()
    assert (failure.value.cause, failure.value.tenant_id) == (Cause.DEADLINE, late.tokens.claims().tenant_id)
    client = connect(within=5, quota=Quota(requests=1, window=timedelta(minutes=2)))
    client.probe()
    with pytest.raises(MicrosoftError) as failure:
        client.probe()
    assert details(failure.value) == (Cause.THROTTLED, None, "", "the run's deadline passed")
    assert failure.value.tenant_id == late.tokens.claims().tenant_id
    assert len(graph.asked) == 1


def test_a_list_that_leads_nowhere_names_the_request_that_says_so(scripted: Scripted) -> None:
    graph, connect = scripted
    graph.script = lambda _: Said(
        body={"value": [{"id": "a"}], "@odata.nextLink": f"{graph.url}/x"}, headers={"request-id": "r-2"}
    )
    with pytest.raises(MicrosoftError, match="leads") as failure:
        list(connect().list_devices())
    assert (failure.value.cause, failure.value.request_id) == (Cause.LIST_INCOMPLETE, "r-2")


def test_who_uses_a_device_is_the_first_user_with_an_id_or_unanswered(scripted: Scripted) -> None:
    graph, connect = scripted

    def users(value: object) -> Any:
        graph.says(Said(body={"responses": [{"id": "0", "status": 200, "body": {"value": value}}]}))
        return connect().primary_users(["a"])["a"]

    assert users("nobody") == Unanswered(Cause.UNEXPECTED, "")
    assert users([None, {"id": ""}, {"id": 7}, {"mail": "a@b.example"}]) is None
    known = {"id": "u-1", "mail": "", "userPrincipalName": 7, "displayName": "Ann"}
    assert users(["text", known, {"id": "u-2"}]) == PrimaryUser("u-1", None, None, "Ann")


def test_an_item_of_a_batch_that_fails_says_which_tenant_and_request(scripted: Scripted) -> None:
    graph, connect = scripted

    def answer(*headers: dict[str, str]) -> Said:
        items = [{"id": "0", "status": 400, "headers": given, "body": graphs("BadRequest")} for given in headers]
        return Said(body={"responses": items}, headers={"request-id": "batch-1"})

    graph.says(answer({"request-id": "item-1"}), answer({}))
    client = connect()
    assert client.primary_users(["a"]) == {"a": Unanswered(Cause.UNEXPECTED, "item-1")}
    assert client.primary_users(["a"]) == {"a": Unanswered(Cause.UNEXPECTED, "batch-1")}


def test_what_is_asked_again_is_logged_without_addresses_and_counted(scripted: Scripted) -> None:
    graph, connect = scripted
    busy = Said(503, graphs("x"), {"Retry-After": "0.01", "request-id": "r-1"})
    found = Said(body={"value": [], "responses": [{"id": "0", "status": 200, "body": {"id": "a"}}]})
    client = connect()
    asks: dict[str, Callable[[], object]] = {
        "probe": client.probe,
        "list": lambda: list(client.list_devices()),
        "batch": lambda: client.exists(["a"]),
    }
    for what, ask in asks.items():
        graph.says(busy, found)
        with capture_logs() as logged:
            ask()
        tenant = {"tenant_id": client.tokens.claims().tenant_id, "what": what}
        assert [one for one in logged if one["event"] == "graph_request_retried"] == [
            {
                **tenant, "event": "graph_request_retried", "log_level": "warning", "cause": "outage", "status": 503,
                "request_id": "r-1", "note": "", "pause": 0.01,
            }
        ]  # fmt: skip
        sent = [{**one, "request_id": ""} for one in logged if one["event"] == "graph_request"]
        assert sent == [
            {**tenant, "event": "graph_request", "log_level": "debug", "status": status, "request_id": ""}
            for status in (503, 200)
        ]
    counts = client.stats.as_dict()
    assert 0.03 <= counts.pop("seconds_waited") < 20
    assert counts.pop("bytes_received") > 0
    assert counts == {"requests": 6, "batch_items": 2, "throttled": 0, "retried": 3}


def test_nothing_is_counted_before_anything_is_sent() -> None:
    assert Traffic().as_dict() == {
        "requests": 0, "batch_items": 0, "throttled": 0, "retried": 0, "bytes_received": 0, "seconds_waited": 0.0,
    }  # fmt: skip


def test_ids_are_quoted_and_only_what_is_needed_is_asked_for(scripted: Scripted) -> None:
    graph, connect = scripted
    answer = Said(body={"responses": [{"id": "0", "status": 200, "body": {"id": "a", "value": []}}]})
    graph.says(answer, answer, answer)
    client = connect()
    assert client.exists(["a/b?"]) == {"a/b?": True}
    assert client.primary_users(["a"]) == {"a": None}
    assert dict(client.details(["a"]))["a"] == {"id": "a", "value": []}
    asked = [orjson.loads(one.body)["requests"] for one in graph.asked]
    path = "/deviceManagement/managedDevices"
    assert asked == [
        [{"id": "0", "method": "GET", "url": f"{path}/a%2Fb%3F?$select=id"}],
        [{"id": "0", "method": "GET", "url": f"{path}/a/users"}],
        [{"id": "0", "method": "GET", "url": f"{path}/a?$select=id,physicalMemoryInBytes,activationLockBypassCode"}],
    ]


def test_a_secret_detail_is_not_pickled() -> None:
    with pytest.raises(TypeError, match=r"^A device's details hold a secret and are not pickled\.$"):
        pickle.dumps(DeviceDetail({"id": "a"}))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RefusedAnswerError("nested deeper than a record can be", requests.Response()),
            "nested deeper than a record can be",
        ),
        (
            requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"),
            "the server's certificate is not trusted, see MICROSOFT_CA_BUNDLE",
        ),
        (requests.ReadTimeout("x"), "no answer in time"),
        (requests.ConnectTimeout("x"), "no answer in time"),
        (requests.exceptions.ProxyError("x"), "the proxy gave no connection"),
        (requests.exceptions.ChunkedEncodingError("x"), "a body that breaks off"),
        (requests.exceptions.ContentDecodingError("x"), "a body that breaks off"),
        (requests.ConnectionError("secret-host"), "no connection"),
    ],
)
def test_why_there_was_no_answer_is_said_in_a_few_words(error: requests.RequestException, said: str) -> None:
    assert reason(error) == said


# -- Entra ---------------------------------------------------------------------------------------------------------


def refused(cloud: MicrosoftCloud, credential: Credential, tenant_id: str) -> MicrosoftError:
    tokens = TenantTokens(cloud, credential, tenant_id)
    with pytest.raises(MicrosoftError) as caught:
        tokens.require_role()
    assert caught.value.tenant_id == tenant_id
    return caught.value


@pytest.fixture
def unreachable(cloud: MicrosoftCloud) -> MicrosoftCloud:
    return MicrosoftCloud(NOWHERE, cloud.graph_url, cloud.ca_bundle)


def test_a_token_that_is_refused_says_tenant_status_code_and_request(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant, sandbox: SandboxCloud
) -> None:
    tenant.app_disabled = True
    error = refused(cloud, credential, tenant.tenant_id)
    assert (error.status, error.code) == (400, "AADSTS7000112")
    assert UUID(error.request_id)
    tenant.app_disabled, tenant.role_granted = False, False
    assert details(refused(cloud, credential, tenant.tenant_id)) == (
        Cause.PERMISSION_REMOVED, None, "", "the token has no such role",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "cause"),
    [
        ({"error_codes": [7000215], "error_description": "AADSTS65001: x"}, "AADSTS7000215", Cause.OUR_CREDENTIAL),
        ({"error_codes": ["7000215"], "error_description": "AADSTS65001: x"}, "AADSTS65001", Cause.CONSENT_MISSING),
        ({"error_codes": 7000215, "error": "invalid_client"}, "invalid_client", Cause.UNEXPECTED),
        ({"error": "free text of somebody"}, "", Cause.UNEXPECTED),
        ([], "", Cause.OUTAGE),
    ],
)
def test_entras_listed_codes_come_before_its_description(body: Any, code: str, cause: Cause) -> None:
    assert (entra_code(body), cause_of_token_answer(400, body)) == (code, cause)


@pytest.mark.parametrize(
    ("headers", "body", "request_id"),
    [
        ({"x-ms-request-id": "r-1"}, {"trace_id": "t-1", "correlation_id": "c-1"}, "r-1"),
        ({}, {"trace_id": "t-1", "correlation_id": "c-1"}, "t-1"),
        ({}, {"correlation_id": "c-1"}, "c-1"),
        ({}, {}, ""),
        ({}, None, ""),
        ({"x-ms-request-id": "r 1\n<b>" + "x" * 100}, None, "r1b" + "x" * 61),
    ],
)
def test_entras_request_id_is_found_wherever_it_stands(headers: dict[str, str], body: Any, request_id: str) -> None:
    assert entra_request_id(headers, body) == request_id


@pytest.fixture
def entra(scripted: Scripted, tmp_path: Path) -> MicrosoftCloud:
    """A cloud whose Entra is the scripted server."""
    graph, _ = scripted
    bundle = tmp_path / "entra.pem"
    bundle.write_bytes(graph.ca_pem)
    return MicrosoftCloud(graph.url, graph.url, bundle)


def test_an_entra_that_is_busy_says_for_how_long(scripted: Scripted, entra: MicrosoftCloud) -> None:
    graph, _ = scripted
    discovery = Said(
        body={name: f"{graph.url}/{name}" for name in ("issuer", "authorization_endpoint", "token_endpoint")}
    )
    busy = {"error": "temporarily_unavailable", "error_codes": [50196], "trace_id": "t-9"}
    graph.says(discovery, Said(429, busy, {"Retry-After": "30"}))
    error = refused(entra, Credential("app", "secret"), "t-1")
    assert details(error) == (Cause.THROTTLED, 429, "AADSTS50196", "")
    assert (error.request_id, error.retry_after) == ("t-9", 30)


def test_an_entra_behind_a_proxy_or_beyond_all_limits_is_named(scripted: Scripted, entra: MicrosoftCloud) -> None:
    graph, _ = scripted
    graph.script = lambda _: Said(503, b"<html>")
    assert details(refused(entra, Credential("app", "secret"), "t-1")) == (
        Cause.OUTAGE, 503, "", f"{graph.url}: {WEB_PAGE}",
    )  # fmt: skip
    bomb = gzip.compress(bytes(2**23))
    graph.script = lambda _: Said(200, bomb, {"Content-Encoding": "gzip"})
    assert details(refused(entra, Credential("app", "secret"), "t-1")) == (
        Cause.UNEXPECTED, None, "", f"{graph.url}: a compressed answer that unpacks to more than 100 times its size",
    )  # fmt: skip


def test_a_token_of_another_tenant_is_not_taken(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = TokenSigner.sign
    monkeypatch.setattr(
        TokenSigner, "sign", lambda self, claims, **seconds: sign(self, {**claims, "tid": "t-2"}, **seconds)
    )
    assert details(refused(cloud, credential, tenant.tenant_id)) == (
        Cause.UNEXPECTED, None, "", "the token is of another tenant",
    )  # fmt: skip


def test_an_entra_that_is_not_there_is_named_wherever_it_is_asked(
    unreachable: MicrosoftCloud, credential: Credential, tmp_path: Path
) -> None:
    said = (Cause.OUTAGE, None, "", f"{NOWHERE}: no connection")
    assert details(refused(unreachable, credential, "t-1")) == said
    for ask in (
        lambda: start_sign_in(unreachable, credential, redirect_uri=REDIRECT_URI, state="s"),
        lambda: finish_sign_in(unreachable, credential, {}, {}),
        lambda: clock_skew(unreachable),
    ):
        with pytest.raises(MicrosoftError) as caught:
            ask()
        assert details(caught.value) == said
        assert caught.value.tenant_id == "organizations"


def test_a_credential_file_that_cannot_be_read_says_why(cloud: MicrosoftCloud, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    broken = Credential("app", client_certificate=path)
    assert refused(cloud, broken, "t-1").note == f"{path} cannot be read: No such file or directory"
    path.write_bytes(b"\xff\xfe\xff")
    assert refused(cloud, broken, "t-1").note == f"{path} cannot be read: it is no text"
    path.write_text("no PEM")
    with pytest.raises(
        CredentialFileError, match=r" must hold an unencrypted private key and its certificate in PEM form$"
    ):
        broken.for_msal()
    with pytest.raises(MicrosoftError) as caught:
        start_sign_in(cloud, broken, redirect_uri=REDIRECT_URI, state="s")
    assert (caught.value.cause, caught.value.tenant_id) == (Cause.OUR_CREDENTIAL, "organizations")
    assert caught.value.note.startswith(str(path))


def test_a_sign_in_that_microsoft_refuses_says_status_code_and_request(
    cloud: MicrosoftCloud, sandbox: SandboxCloud, credential: Credential
) -> None:
    started = start_sign_in(cloud, credential, redirect_uri=REDIRECT_URI, state="s")
    with pytest.raises(MicrosoftError) as caught:
        finish_sign_in(cloud, Credential(sandbox.client_id, "wrong"), started.flow, {"code": "c", "state": "s"})
    error = caught.value
    assert (error.cause, error.status, error.code) == (Cause.OUR_CREDENTIAL, 401, "AADSTS7000215")
    assert (error.tenant_id, bool(UUID(error.request_id))) == ("organizations", True)


def test_a_grant_that_is_not_there_yet_names_the_request(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    tenant.consented = False
    assert UUID(verify_grant(cloud, credential, tenant.tenant_id, within=timedelta(seconds=1)).request_id)


def test_doctor_says_what_it_found_step_by_step(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    assert [step.sentence for step in check_tenant(cloud, credential, tenant.tenant_id)] == [
        f"{cloud.login_url} knows tenant {tenant.tenant_id}.",
        "Microsoft Entra accepts our credential for this tenant.",
        f"The token holds {REQUIRED_ROLE}.",
        f"{cloud.graph_url} lists devices of this tenant.",
    ]
    tenant.exists = False
    (step,) = check_tenant(cloud, credential, tenant.tenant_id)
    assert f"(tenant {tenant.tenant_id}, status 400, code AADSTS90002, request id " in step.sentence
