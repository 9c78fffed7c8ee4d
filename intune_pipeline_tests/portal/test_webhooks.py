"""Webhooks from their page to a receiver: what is told, in which order, and what a refusing receiver brings about."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import audit, needs, schema, sync_runs, webhook_deliveries
from intune_pipeline.portal.webhook_sender import WebhookSender
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.trust import TrustStore
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.receivers import Receiver
from intune_pipeline_tests.syncing import Tenant, device

ALL = ["sync.finished", "sync.failed", "asset.changed", "employee.created", "needs.changed"]
PAGES = "/integrations/intune/webhooks"
Api = Callable[[str], TestClient]


@pytest.fixture
def receiver(sandbox: SandboxCloud) -> Iterator[Receiver]:
    with Receiver().running(TrustStore(sandbox.ca_bundle.parent).server_certificate) as receiver:
        yield receiver


@pytest.fixture
def sender(app: FastAPI) -> WebhookSender:
    return WebhookSender(app.state.portal)


@pytest.fixture
def tenant(engine: sa.Engine, connected: Callable[..., int]) -> Tenant:
    connection_id = connected("acme", mdm_assignee_updates=True)
    with engine.connect() as db:
        account_id = db.scalar(sa.select(schema.accounts.c.id).where(schema.accounts.c.slug == "acme"))
    assert account_id is not None
    return Tenant(engine, connection_id, account_id)


@pytest.fixture
def webhook(api: Api, receiver: Receiver, tenant: Tenant) -> dict[str, Any]:
    """One that tells everything."""
    answer = api("acme-primary").post("/api/v1/webhooks", json={"url": receiver.url, "events": ALL})
    assert answer.status_code == 201, answer.text
    receiver.secrets = [answer.json()["secret"]]
    webhook: dict[str, Any] = answer.json()["webhook"]
    return webhook


def told(sender: WebhookSender, receiver: Receiver, *, until: int) -> None:
    """Send until so many messages were accepted: other databases of the server hold the horizon back for a moment."""
    deadline = time.monotonic() + 20
    while len(receiver.accepted) < until and time.monotonic() < deadline:
        sender.step()
        time.sleep(0.02)
    assert len(receiver.accepted) >= until, receiver.events


def test_a_sync_is_told_after_its_changes(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, tenant: Tenant
) -> None:
    assert webhook["status"] == "on"
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example"), device("d2", "SN-2")])
    told(sender, receiver, until=3)
    assert receiver.events == ["employee.created", "asset.changed", "sync.finished"]
    created, changed, finished = (one["data"] for one in receiver.accepted.values())
    assert created["changes"][0]["current"]["emails"][0]["email"] == "jane.doe@acme.example"
    assert {one["current"]["serial_number"] for one in changed["changes"]} == {"SN-1", "SN-2"}
    assert (finished["sync"]["devices_synced"], finished["sync"]["trigger"]) == (2, "manual")
    assert [one["sequence"] for one in (created, changed, finished)] == sorted({1, 2, 3})
    assert sender.step() == 0


def test_a_failed_sync_is_told_with_its_sentence(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, tenant: Tenant
) -> None:
    assert webhook
    run = tenant.open_run()
    with tenant.engine.begin() as db:
        sync_runs.fail(db, run, "outage", "Microsoft could not be reached.")
    told(sender, receiver, until=1)
    sync = next(iter(receiver.accepted.values()))["data"]["sync"]
    assert (receiver.events, sync["error"]) == (["sync.failed"], "Microsoft could not be reached.")


def test_what_waits_for_people_is_told_when_it_changes(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, tenant: Tenant, clock: Clock
) -> None:
    assert webhook
    clock.move(timedelta(minutes=2))
    assert sender.step() == 0
    tenant.set(status="needs_consent")
    assert sender.step() == 0
    clock.move(timedelta(minutes=2))
    told(sender, receiver, until=1)
    needs_told = next(iter(receiver.accepted.values()))["data"]["needs"]
    assert [one["kind"] for one in needs_told] == ["connection_broken"]
    clock.move(timedelta(minutes=2))
    assert sender.step() == 0


def test_only_what_was_asked_for_is_told(api: Api, receiver: Receiver, sender: WebhookSender, tenant: Tenant) -> None:
    new = api("acme-primary").post("/api/v1/webhooks", json={"url": receiver.url, "events": ["sync.finished"]})
    receiver.secrets = [new.json()["secret"]]
    tenant.sync([device("d1", "SN-1")])
    told(sender, receiver, until=1)
    assert receiver.events == ["sync.finished"]


def test_a_receiver_that_fails_half_the_time_ends_with_exactly_the_inventory(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, tenant: Tenant, clock: Clock
) -> None:
    """It answers 500 to every other message, having kept some of them already; it goes by ids."""
    assert webhook
    receiver.answer = lambda number: 500 if number % 2 else 200
    for round_ in range(4):
        users = [f"user{n}@acme.example" for n in range(round_ * 10, round_ * 10 + 10)]
        tenant.sync([device(f"d{n}", f"SN-{n}", users[n % 10], osVersion=str(round_)) for n in range(150)])
        tenant.run("update assets set notes = :notes where id % 7 = :rest", notes=f"round {round_}", rest=round_)
        tenant.run("delete from assets where serial_number = :serial", serial=f"SN-{round_}")
        for _ in range(60):
            clock.move(timedelta(minutes=10))
            sender.step()
    deadline = time.monotonic() + 20
    while copy_of(receiver) != inventory(tenant) and time.monotonic() < deadline:
        clock.move(timedelta(minutes=10))
        sender.step()
    assert copy_of(receiver) == inventory(tenant)
    assert len(receiver.arrived) > len(receiver.accepted) > 10


def copy_of(receiver: Receiver) -> dict[int, str]:
    """Assets by id, as whoever applies each accepted message once ends with."""
    copy: dict[int, str] = {}
    for message in sorted(receiver.accepted.values(), key=lambda one: one["data"]["sequence"]):
        for one in message["data"].get("changes", []):
            if one["entity"] == "asset":
                copy.pop(one["entity_id"], None)
                if one["current"] is not None:
                    copy[one["entity_id"]] = told_of(one["current"])
    return copy


def told_of(asset: dict[str, Any]) -> str:
    return f"{asset['serial_number']} {asset['os_version']} {asset['notes']} {asset['assignee_id']}"


def inventory(tenant: Tenant) -> dict[int, str]:
    return {asset["id"]: told_of(asset) for asset in tenant.assets().values()}


def test_a_receiver_that_refuses_for_a_day_is_switched_off_and_nothing_is_lost(
    webhook: dict[str, Any],
    receiver: Receiver,
    sender: WebhookSender,
    tenant: Tenant,
    clock: Clock,
    api: Api,
) -> None:
    receiver.answer = lambda _: 503
    tenant.add_asset("SN-1")
    began = clock()
    while api("acme-primary").get(address(webhook)).json()["status"] == "on":
        clock.move(timedelta(minutes=5))
        sender.step()
        assert clock() - began < timedelta(hours=30)
    assert clock() - began > timedelta(hours=22)
    assert len(receiver.arrived) == 9
    off = api("acme-primary").get(address(webhook)).json()
    assert (off["status"], off["status_reason"]) == (
        "switched_off",
        "Nothing was accepted for a day. The receiver answered 503; it must answer 2xx.",
    )
    with tenant.engine.connect() as db:
        waiting = needs.of_account(db, "acme", late_after=timedelta(days=9))
        assert audit.entries(db, "acme")[0].details["what"] == "switched off"
    assert [one.what for one in waiting] == ["1 webhook was switched off: the receiver accepts nothing."]
    receiver.answer = lambda _: 200
    tenant.add_asset("SN-2")
    clock.move(timedelta(days=3))
    assert sender.step() == 0
    assert api("acme-primary").post(f"{address(webhook)}/switch-on").json()["status"] == "on"
    told(sender, receiver, until=2)
    assert set(copy_of(receiver)) == set(inventory(tenant))


def test_while_a_receiver_refuses_changes_gather(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, tenant: Tenant, clock: Clock
) -> None:
    assert webhook
    receiver.answer = lambda _: 500
    for number in range(20):
        tenant.add_asset(f"SN-{number}")
        tenant.wait_for_feed()
        clock.move(timedelta(minutes=2))
        sender.step()
    receiver.answer = lambda _: 200
    clock.move(timedelta(days=1))
    told(sender, receiver, until=2)
    assert len(receiver.accepted) == 2


def test_a_receiver_that_is_gone_is_switched_off_at_once(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, api: Api, tenant: Tenant
) -> None:
    receiver.answer = lambda _: 410
    tenant.add_asset("SN-1")
    while not receiver.arrived:
        sender.step()
    assert api("acme-primary").get(address(webhook)).json()["status"] == "switched_off"


def test_two_secrets_sign_for_a_day_after_a_rotation(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, api: Api, clock: Clock
) -> None:
    client = api("acme-primary")
    old = receiver.secrets[0]
    new = client.post(f"{address(webhook)}/secret").json()["secret"]
    assert new != old
    receiver.secrets = [old, new]
    assert client.post(f"{address(webhook)}/test").status_code == 202
    sender.step()
    assert receiver.events == ["webhook.test"]
    clock.move(timedelta(hours=25))
    client.post(f"{address(webhook)}/test")
    receiver.secrets = []
    sender.step()
    assert len(receiver.arrived[-1][0]["webhook-signature"].split()) == 1


def test_a_test_is_sent_while_it_is_off_and_tried_once(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, api: Api, tenant: Tenant
) -> None:
    client = api("acme-primary")
    client.post(f"{address(webhook)}/pause")
    tenant.add_asset("SN-1")
    receiver.answer = lambda _: 500
    client.post(f"{address(webhook)}/test")
    assert (sender.step(), sender.step()) == (1, 0)
    log = client.get(f"{address(webhook)}/deliveries").json()
    assert [(one["event"], one["status"], len(one["tries"])) for one in log] == [("webhook.test", "refused", 1)]
    assert log[0]["asked_by"]


def test_a_message_is_replayed_under_its_id_with_the_present_state(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, api: Api, tenant: Tenant
) -> None:
    tenant.add_asset("SN-1", notes="first")
    told(sender, receiver, until=1)
    api("acme-primary").post(f"{address(webhook)}/pause")
    tenant.run("update assets set notes = 'second'")
    log = api("acme-primary").get(f"{address(webhook)}/deliveries").json()
    replayed = api("acme-primary").post(f"{address(webhook)}/deliveries/{log[0]['id']}/replay")
    assert replayed.status_code == 202
    sender.step()
    (first, _), (second, body) = receiver.arrived
    assert first["webhook-id"] == second["webhook-id"] == f"msg_{log[0]['message_id'].replace('-', '')}"
    assert b'"second"' in body
    assert api("acme-primary").post(f"{address(webhook)}/deliveries/999/replay").status_code == 404


def test_two_senders_send_each_message_once(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, app: FastAPI, tenant: Tenant
) -> None:
    """As two portal processes do."""
    from concurrent.futures import ThreadPoolExecutor

    assert webhook
    for number in range(300):
        tenant.add_asset(f"SN-{number}")
    senders = [sender, WebhookSender(app.state.portal)]
    with ThreadPoolExecutor(2) as pool:
        deadline = time.monotonic() + 20
        while len(copy_of(receiver)) < 300 and time.monotonic() < deadline:
            list(pool.map(lambda one: one.step(), senders))
    assert len(receiver.arrived) == len(receiver.accepted)
    assert len(copy_of(receiver)) == 300


def test_a_sender_that_died_is_followed_by_another(
    webhook: dict[str, Any], receiver: Receiver, sender: WebhookSender, tenant: Tenant, clock: Clock, engine: sa.Engine
) -> None:
    assert webhook
    tenant.add_asset("SN-1")
    with engine.begin() as db:
        db.execute(sa.update(schema.webhooks).values(claimed_until=clock() + webhook_deliveries.CLAIMED_FOR))
    assert sender.step() == 0
    clock.move(webhook_deliveries.CLAIMED_FOR + timedelta(seconds=1))
    told(sender, receiver, until=1)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[fd00::1]/",
        "https://u:p@localhost/",
    ],
)
def test_an_address_inside_is_refused_and_counted(api: Api, engine: sa.Engine, url: str) -> None:
    answer = api("acme-primary").post("/api/v1/webhooks", json={"url": url, "events": ALL})
    assert (answer.status_code, answer.json()["title"]) == (422, "Check the address")
    with engine.connect() as db:
        assert "webhook_refused" in set(db.scalars(sa.select(schema.security_counts.c.event)))


def test_secondary_admins_look_and_primary_admins_do(webhook: dict[str, Any], api: Api) -> None:
    client = api("acme-secondary")
    assert client.get("/api/v1/webhooks").json() == [webhook]
    assert client.post(f"{address(webhook)}/test").status_code == 403
    assert client.delete(address(webhook)).status_code == 403
    changed = api("acme-primary").patch(address(webhook), json={"description": "help desk", "events": ["sync.failed"]})
    assert (changed.json()["description"], changed.json()["events"]) == ("help desk", ["sync.failed"])
    assert api("acme-primary").delete(address(webhook)).status_code == 204
    assert api("acme-primary").get(address(webhook)).status_code == 404


def test_no_secret_is_shown_twice_stored_plainly_or_audited(
    webhook: dict[str, Any], receiver: Receiver, api: Api, engine: sa.Engine
) -> None:
    secret = receiver.secrets[0]
    assert secret.startswith("whsec_")
    with engine.connect() as db:
        stored = str(db.execute(sa.select(schema.webhooks)).all()) + str(audit.entries(db, "acme"))
    shown = "".join(api("acme-primary").get(path).text for path in (address(webhook), "/api/v1/audit"))
    assert secret not in stored + shown
    assert secret.removeprefix("whsec_") not in stored + shown


def test_no_more_than_five(webhook: dict[str, Any], api: Api, receiver: Receiver) -> None:
    assert webhook
    new = {"url": receiver.url, "events": ["sync.failed"]}
    answers = [api("acme-primary").post("/api/v1/webhooks", json=new).status_code for _ in range(5)]
    assert answers == [201, 201, 201, 201, 409]


def test_the_page_does_all_of_it(
    signed_in: Callable[[str], Browser], receiver: Receiver, sender: WebhookSender, tenant: Tenant
) -> None:
    assert tenant
    browser = signed_in("acme-primary").open(PAGES)
    form = {"url": receiver.url, "event": ["asset.changed", "sync.finished"], "description": "warehouse"}
    refused = browser.portal.post(PAGES, data=form | {"url": "https://10.0.0.1/", "form_token": browser.form_token()})
    assert (refused.status_code, "public internet" in refused.text) == (422, True)
    made = browser.portal.post(PAGES, data=form | {"form_token": browser.form_token()})
    assert made.status_code == 200
    assert "whsec_" in made.text
    browser.open(PAGES)
    assert "warehouse" in browser.answer.text
    path = browser.answer.text.split(f'href="{PAGES}/')[1].split('"')[0]
    token = {"form_token": browser.form_token()}
    browser.portal.post(f"{PAGES}/{path}/test", data=token)
    sender.step()
    shown = browser.portal.get(f"{PAGES}/{path}").text
    assert "webhook.test" in shown
    assert "Accepted" in shown
    browser.portal.post(f"{PAGES}/{path}/status", data=token | {"on": "false"})
    assert "Paused" in browser.portal.get(f"{PAGES}/{path}").text
    rotated = browser.portal.post(f"{PAGES}/{path}/secret", data=token)
    assert "signs too until" in rotated.text
    browser.portal.post(f"{PAGES}/{path}/remove", data=token)
    assert browser.portal.get(f"{PAGES}/{path}").status_code == 404


def address(webhook: dict[str, Any]) -> str:
    return f"/api/v1/webhooks/{webhook['id']}"
