"""What everybody may open: the guide, the API in words, the probes, help and contact; and HEAD for every page."""

import re
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.portal.app import create_app
from intune_pipeline.portal.rendering import STATIC_DIRECTORY
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings, SettingsError
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


@pytest.fixture
def nobody(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=PORTAL, follow_redirects=False)


@pytest.fixture
def lost(portal_settings: PortalSettings, microsoft_settings: MicrosoftSettings) -> Iterator[TestClient]:
    """A portal whose database does not answer."""
    engine = sa.create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    yield TestClient(
        create_app(Settings(), portal_settings, microsoft_settings, engine), base_url="http://10.0.0.7:8000"
    )
    engine.dispose()


def test_probes_answer_under_any_host(app: FastAPI) -> None:
    client = TestClient(app, base_url="http://10.0.0.7:8000")
    for path in ("/healthz", "/readyz"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store"
        assert (client.head(path).status_code, client.head(path).content) == (200, b"")
    assert client.get("/guide").status_code == 400, "everything else wants the portal's host"


def test_without_its_database_the_portal_lives_and_is_not_ready(lost: TestClient) -> None:
    assert lost.get("/healthz").status_code == 200
    answer = lost.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "no database"})


@pytest.mark.parametrize(
    "path", [HOME, f"{HOME}/devices", f"{HOME}/audit.csv", "/guide", "/sign-in", "/static/portal.css"]
)
def test_head_answers_as_get_without_a_body(signed_in: SignIn, acme: Customer, path: str) -> None:
    client = signed_in("acme-primary").portal
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    for name in ("content-type", "content-security-policy", "cache-control"):
        assert head.headers.get(name) == got.headers.get(name)


def test_head_of_the_api_wants_a_token_too(
    nobody: TestClient, api: Callable[[str], TestClient], acme: Customer
) -> None:
    assert nobody.head("/api/v1/devices").status_code == 401
    answer = api("acme-primary").head("/api/v1/devices")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


def test_the_guide_is_open_and_says_what_an_administrator_asks(nobody: TestClient) -> None:
    text = nobody.get("/guide").text
    for told in ("Privileged Identity Management", "Conditional access", "Managed", "Global Administrator", "print"):
        assert told in text
    css = (STATIC_DIRECTORY / "portal.css").read_text()
    assert "@media print" in css


def test_the_api_can_be_read_as_a_page(nobody: TestClient) -> None:
    document = nobody.get("/api/v1/openapi.json").json()
    answer = nobody.get("/api/v1/docs")
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in answer.text
    anchors = re.findall(r'id="([^"]+)"', answer.text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', answer.text)) <= set(anchors)
    assert "page_size" in answer.text


@pytest.mark.parametrize(
    ("contact", "href"),
    [
        ("help@allwhere.test", 'href="mailto:help@allwhere.test"'),
        ("https://help.allwhere.test/intune", 'href="https://help.allwhere.test/intune"'),
        ("", "your allwhere contact"),
    ],
)
def test_help_and_contact_are_on_every_page(
    engine: sa.Engine,
    portal_settings: PortalSettings,
    microsoft_settings: MicrosoftSettings,
    contact: str,
    href: str,
) -> None:
    settings = portal_settings.model_copy(update={"portal_contact": contact})
    client = TestClient(create_app(Settings(), settings, microsoft_settings, engine), base_url=PORTAL)
    for path in ("/guide", "/sign-in", "/signed-out", "/api/v1/docs", "/nowhere", f"{HOME}/connect/consent"):
        text = client.get(path).text
        assert "Help and contact" in text, path
        assert href in text, path


@pytest.mark.parametrize("contact", ["javascript:alert(1)", "http://plain.example", "me", "a@b", "x y@z.example"])
def test_a_contact_is_an_address_of_mail_or_web(monkeypatch: pytest.MonkeyPatch, contact: str) -> None:
    for name in ("PORTAL_URL", "AUTH0_AUDIENCE", "AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"):
        monkeypatch.setenv(name, "https://portal.example")
    monkeypatch.setenv("PORTAL_SESSION_SECRET", "s" * 40)
    monkeypatch.setenv("PORTAL_CONTACT", contact)
    with pytest.raises(SettingsError, match="PORTAL_CONTACT must be an e-mail address or an https address"):
        PortalSettings.load()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_pages_of_the_api_are_as_large_as_asked_for(
    api: Callable[[str], TestClient], acme: Customer, size: int
) -> None:
    client, seen = api("acme-primary"), []
    for number in range(1, 7):
        got = client.get(f"/api/v1/devices?page_size={size}&page={number}&sort=serial_number&order=asc").json()
        assert (got["total"], got["page_size"]) == (5, size)
        assert len(got["devices"]) <= size
        seen += [device["intune_device_id"] for device in got["devices"]]
    assert sorted(set(seen)) == sorted(seen)
    assert len(seen) == min(5, 6 * size)


@pytest.mark.parametrize("size", ["0", "1001", "-1", "x"])
def test_a_page_size_that_is_none_is_refused(api: Callable[[str], TestClient], acme: Customer, size: str) -> None:
    assert api("acme-primary").get(f"/api/v1/devices?page_size={size}").status_code == 422
