"""What protects every answer: headers, form tokens, sessions, roles. Every route is enumerated, so none is forgotten."""

import re
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from intune_pipeline.inventory.rate_limits import Limit
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import (
    recent_token_primary_admin,
    recently_signed_in_primary_admin,
    signed_in_admin,
    signed_in_primary_admin,
    token_admin,
    token_primary_admin,
)
from intune_pipeline.portal.security import checked_form
from intune_pipeline_tests.portal.browser import PORTAL, Browser

HOME = "/integrations/intune"
OF_INVITED_ADMINISTRATORS = {
    "/invitation/{token}",
    "/invitation/{token}/start",
    "/invitation/sign-in",
    "/invitation/consent",
    "/invitation/refuse",
}
#: The link is the proof, and mail programs follow it without a sign-in.
UNSUBSCRIBE = "/unsubscribe/{token}"
OPEN_TO_ALL = {
    UNSUBSCRIBE,
    "/",
    "/sign-in",
    "/sign-in/start",
    "/sign-in/callback",
    "/sign-out",
    "/sign-out/everywhere",
    "/signed-out",
    "/guide",
    "/api/v1/docs",
} | OF_INVITED_ADMINISTRATORS


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    """Every route of ours with each of its methods, included routers flattened."""

    def flatten(routes: list[object]) -> Iterator[APIRoute]:
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            else:
                yield from flatten(getattr(getattr(route, "original_router", None), "routes", []))

    for route in flatten(app.routes):
        for method in sorted(route.methods - {"HEAD"}):
            yield method, route.path, route


def dependencies_of(route: APIRoute) -> set[object]:
    """Every dependency of a route, however deep."""
    found: set[object] = set()

    def collect(dependant: object) -> None:
        found.add(getattr(dependant, "call", None))
        for inner in getattr(dependant, "dependencies", []):
            collect(inner)

    collect(route.dependant)
    return found


def test_there_are_routes_to_protect(app: FastAPI) -> None:
    paths = {path for _, path, _ in routes_of(app)}
    assert len(paths) > 35
    assert {f"{HOME}/devices.csv", "/api/v1/audit"} <= paths


def test_every_route_wants_to_know_who_asks(app: FastAPI) -> None:
    for method, path, route in routes_of(app):
        if path in OPEN_TO_ALL:
            continue
        wanted = token_admin if path.startswith("/api/") else signed_in_admin
        assert wanted in dependencies_of(route), f"{method} {path}"


def test_every_write_by_form_checks_the_form_token(app: FastAPI) -> None:
    for method, path, route in routes_of(app):
        if method != "GET" and path != UNSUBSCRIBE and not path.startswith("/api/"):
            assert checked_form in dependencies_of(route), f"{method} {path}"


def test_secondary_admins_sync_look_at_plans_and_choose_their_mails_and_no_more(app: FastAPI) -> None:
    allowed = {f"{HOME}/sync", "/api/v1/syncs", f"{HOME}/plan", "/api/v1/plans", f"{HOME}/settings/mail"}
    allowed |= {"/sign-out", "/sign-out/everywhere", UNSUBSCRIBE}
    for method, path, route in routes_of(app):
        if method != "GET" and path not in allowed:
            wanted = {signed_in_primary_admin, token_primary_admin}
            assert wanted & dependencies_of(route), f"{method} {path}"


def test_nobody_reaches_anything_without_signing_in(app: FastAPI) -> None:
    client = TestClient(app, base_url=PORTAL, follow_redirects=False)
    for method, path, _ in routes_of(app):
        if path in OPEN_TO_ALL:
            continue
        answer = client.request(method, path.replace("{rule_id}", "1").replace("{webhook_id}", str(uuid4())))
        if path.startswith("/api/"):
            assert answer.status_code == 401, f"{method} {path}"
        elif method == "GET" and not path.endswith(".json"):
            assert answer.headers["location"].startswith("/sign-in?next="), f"{method} {path}"
        else:
            assert answer.status_code in {303, 401, 403}, f"{method} {path}"


def test_a_session_is_no_key_to_the_api(signed_in: Callable[[str], Browser]) -> None:
    """Forms of other sites carry the cookie along; the API listens to the Authorization header alone."""
    assert signed_in("acme-primary").portal.get("/api/v1/me").status_code == 401


def test_a_forged_or_missing_form_token_changes_nothing(
    app: FastAPI, signed_in: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WRITES", Limit("writes", 1_000, 60))
    browser = signed_in("acme-primary")
    for method, path, _ in routes_of(app):
        if method == "POST" and path != UNSUBSCRIBE and not path.startswith("/api/"):
            for data in ({}, {"form_token": ""}, {"form_token": "forged"}, {"form_token": "gefälscht"}):
                answer = browser.portal.post(path, data=data)
                assert answer.status_code in {403, 422}, path


def test_a_form_token_of_another_session_is_refused(signed_in: Callable[[str], Browser]) -> None:
    mine, theirs = signed_in("acme-primary"), signed_in("acme-primary")
    answer = mine.portal.post(f"{HOME}/connect", data={"form_token": theirs.form_token()})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/api/v1/nowhere", "/api/v1/me", "/static/portal.css"])
def test_every_answer_carries_the_protecting_headers(app: FastAPI, path: str) -> None:
    headers = TestClient(app, base_url=PORTAL).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["strict-transport-security"].startswith("max-age=31536000")


def test_an_unexpected_error_is_a_protected_page_without_its_details(
    app: FastAPI, signed_in: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in("acme-primary")
    monkeypatch.setattr("intune_pipeline.inventory.connections.of_account", lambda *_: 1 / 0)
    client = TestClient(app, base_url=PORTAL, raise_server_exceptions=False, cookies=browser.portal.cookies)
    answer = client.get(HOME)
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_pages_with_data_are_never_stored(signed_in: Callable[[str], Browser]) -> None:
    assert signed_in("acme-primary").answer.headers["cache-control"] == "no-store"


def test_no_template_has_inline_script_or_style() -> None:
    from intune_pipeline.portal.rendering import STATIC_DIRECTORY

    for template in (STATIC_DIRECTORY.parent / "templates").glob("*.html"):
        source = template.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", source), template.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", source)), template.name


def test_a_changed_cookie_is_no_session(signed_in: Callable[[str], Browser], app: FastAPI) -> None:
    cookie = signed_in("acme-secondary").portal.cookies["__Host-allwhere-intune"]
    for forged in (cookie[:-2] + "xx", "e30=." + cookie.partition(".")[2], ""):
        client = TestClient(app, base_url=PORTAL, cookies={"__Host-allwhere-intune": forged}, follow_redirects=False)
        assert client.get(HOME).headers["location"].startswith("/sign-in?next=")


def test_what_cannot_be_taken_back_asks_for_a_recent_sign_in(app: FastAPI) -> None:
    grave = {
        ("POST", f"{HOME}/device/reveal"),
        ("POST", f"{HOME}/settings/disconnect"),
        ("POST", f"{HOME}/decisions/devices"),
        ("POST", "/api/v1/device/bypass-code"),
        ("DELETE", "/api/v1/connection"),
        ("POST", "/api/v1/holds/lifecycle"),
        ("POST", f"{HOME}/runs/{{run_id}}/undo"),
        ("POST", "/api/v1/runs/{run_id}/undo"),
        ("POST", f"{HOME}/webhooks"),
        ("POST", f"{HOME}/webhooks/{{webhook_id}}"),
        ("POST", f"{HOME}/webhooks/{{webhook_id}}/secret"),
        ("POST", "/api/v1/webhooks"),
        ("PATCH", "/api/v1/webhooks/{webhook_id}"),
        ("POST", "/api/v1/webhooks/{webhook_id}/secret"),
    }
    recent = {recently_signed_in_primary_admin, recent_token_primary_admin}
    assert {(method, path) for method, path, route in routes_of(app) if recent & dependencies_of(route)} == grave


@pytest.mark.parametrize("path", ["/sign-in/", "/api/v1/me/", f"{HOME}/"])
def test_a_slash_too_many_is_another_address(app: FastAPI, path: str) -> None:
    """A redirect made of the Host header and a path somebody else chose leads wherever they choose."""
    assert TestClient(app, base_url=PORTAL, follow_redirects=False).get(path).status_code == 404


def test_only_the_portals_own_name_is_answered(app: FastAPI) -> None:
    client = TestClient(app, base_url=PORTAL, follow_redirects=False)
    assert client.get("/sign-in", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/sign-in", headers={"Host": "portal.test:8443"}).status_code == 200
