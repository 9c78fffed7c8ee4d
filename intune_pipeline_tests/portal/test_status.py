"""The status page: health, counts, the chart, Sync Now, and watching a sync."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import connections, heartbeats, schema, sync_runs
from intune_pipeline.portal import chart, health
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


def asked(engine: sa.Engine) -> list[sa.Row[tuple[object, ...]]]:
    with engine.connect() as db:
        return list(db.execute(sa.select(schema.sync_requests).order_by(schema.sync_requests.c.requested_at)))


def answer_requests(engine: sa.Engine, connection_id: int, **columns: object) -> None:
    """Do what a sync does to the log, without syncing."""
    with engine.begin() as db:
        run_id = sync_runs.open_run(db, connection_id, "manual", None)
        db.execute(sa.update(schema.sync_requests).values(status="started", sync_run_id=run_id))
        if columns.get("status") == "failed":
            sync_runs.fail(db, run_id, "outage", "Microsoft could not be reached.")
        elif columns.get("status") == "succeeded":
            sync_runs.succeed(db, run_id, {})
        else:
            sync_runs.progress(db, run_id, **columns)  # type: ignore[arg-type]


def test_the_page_tells_counts_reasons_and_what_to_do(signed_in: SignIn, acme: Customer) -> None:
    text = signed_in("acme-primary").open(HOME).text
    assert "<dd>1\u202f000</dd>" in text
    assert "<dd>250</dd>" in text
    for said in ("Personal device", "Unknown type of device", "Desktop computer", "Settings, Unknown models, Teach"):
        assert said in text
    assert f'href="{HOME}/devices?reason=unknown_type"' in text
    assert "reason=personal" not in text, "personal devices are listed nowhere"


def test_times_are_machine_readable_and_in_utc_without_script(signed_in: SignIn, acme: Customer) -> None:
    text = signed_in("acme-primary").open(HOME).text
    assert text.count("<time datetime=") >= 4
    assert " UTC</time>" in text


def test_the_chart_has_a_title_and_the_same_as_a_table(signed_in: SignIn, acme: Customer) -> None:
    text = signed_in("acme-primary").open(HOME).text
    assert 'role="img" aria-labelledby="chart-title"' in text
    assert text.count('<rect class="failed"') == 1
    assert text.count('<rect class="synced"') == 1
    assert "First sync</td>" in text
    assert "Failed: Microsoft could not be reached, so nothing was synced." in text


def test_waiting_decisions_are_the_next_step(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(HOME)
    browser.follow("Say for each of them who they are.")
    assert browser.title == "Decisions"


def test_sync_now_asks_once_however_often_it_is_pressed(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(HOME).press("Sync Now")
    assert browser.title == "Sync in progress"
    browser.open(HOME).press("Sync Now")
    assert browser.title == "Sync in progress"
    assert [(row.trigger, row.requested_by) for row in asked(engine)] == [("manual", "primary@acme.example")]


def test_two_people_pressing_at_once_make_one_run(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browsers = [signed_in(user).open(HOME) for user in ("acme-primary", "acme-secondary")]
    threads = [threading.Thread(target=browser.press, args=("Sync Now",)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {browser.title for browser in browsers} == {"Sync in progress"}
    assert len(asked(engine)) == 1


def test_within_half_an_hour_the_page_says_when_it_is_possible_again(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-secondary").open(HOME).press("Sync Now")
    answer_requests(engine, acme.connection_id, status="succeeded")
    browser.open(HOME)
    assert "Possible again at <time" in browser.text
    assert "<button disabled" in browser.text
    answer = browser.portal.post(f"{HOME}/sync", data={"form_token": browser.form_token()})
    assert answer.status_code == 409
    assert "It is possible again <time" in answer.text
    assert len(asked(engine)) == 1


def test_a_failed_sync_can_be_retried_at_once(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(HOME).press("Sync Now")
    answer_requests(engine, acme.connection_id, status="failed")
    browser.open(HOME)
    assert "The last sync failed" in browser.text
    browser.press("Sync Now")
    assert len(asked(engine)) == 2


def test_pressing_without_end_is_slowed_down(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(HOME)
    token = browser.form_token()
    codes = [browser.portal.post(f"{HOME}/sync", data={"form_token": token}).status_code for _ in range(8)]
    assert codes[0] == 303
    assert codes[-1] == 429


def test_progress_is_followed_without_reloading_and_ends_at_the_result(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(HOME).press("Sync Now")
    progress = browser.portal.get(f"{HOME}/progress.json").json()
    assert progress["go_to"] is None
    assert [step["total"] for step in progress["steps"]] == [0, 0, 0]

    answer_requests(
        engine, acme.connection_id, phase="reconciling", devices_read=100, devices_classified=90, devices_reconciled=50
    )
    progress = browser.portal.get(f"{HOME}/progress.json").json()
    assert [(step["done"], step["total"]) for step in progress["steps"]] == [(100, 100), (90, 100), (50, 90)]
    assert progress["sentence"] == "Comparing your devices with your allwhere assets."
    assert "50 of 90" in browser.open(f"{HOME}/progress").text

    with engine.begin() as db:
        running = sync_runs.running(db, "acme")
        assert running is not None
        sync_runs.succeed(db, running.id, {"assets_created": 7})
    assert browser.portal.get(f"{HOME}/progress.json").json()["go_to"] == f"{HOME}/result"
    browser.open(f"{HOME}/progress")
    assert browser.title == "The sync is done"
    assert "<dd>7</dd>" in browser.text


def test_without_script_the_progress_page_reloads_itself(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(HOME).press("Sync Now")
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in browser.text


@pytest.mark.parametrize(
    ("status", "cause", "title", "step"),
    [
        ("needs_consent", "consent_missing", "Consent needed", "Connect Microsoft Intune again"),
        ("error", "no_intune_licence", "Not syncing", "Do what the sentence above says"),
        ("error", "our_credential", "Not syncing", "allwhere has been told"),
        ("verifying", None, "Verifying", "See how it is going"),
        ("disconnected", None, "Disconnected", "Connect Microsoft Intune again"),
    ],
)
def test_health_in_words_has_one_next_step(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, status: str, cause: str | None, title: str, step: str
) -> None:
    with engine.begin() as db:
        if status == "disconnected":
            connections.disconnect(db, "acme", actor="test")
        else:
            connections.set_status(db, acme.connection_id, status, cause, "What happened.")
    text = signed_in("acme-primary").open(HOME).text
    assert f'<h2 id="health">{title}</h2>' in text
    assert step in text


def test_a_connection_that_never_synced_says_whether_it_is_about_to(
    signed_in: SignIn, connected: Callable[..., int], app: FastAPI
) -> None:
    connected("acme")
    browser = signed_in("acme-primary").open(HOME)
    assert "Connected, not synced yet" in browser.text
    browser.press("Sync Now").open(HOME)
    assert "First sync about to start" in browser.text


def test_an_old_last_sync_is_late(signed_in: SignIn, acme: Customer, clock: Callable[[], datetime]) -> None:
    clock.move(timedelta(hours=48, minutes=5))  # type: ignore[attr-defined]
    assert "The last good sync is 50 hours old." in signed_in("acme-primary").open(HOME).text


def test_the_next_sync_follows_the_clocks_of_its_time_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert health.next_scheduled(before, 5, "Europe/Berlin") == datetime(2026, 3, 29, 5, 0, tzinfo=berlin)
    at_the_hour = datetime(2026, 6, 1, 5, 0, tzinfo=UTC)
    assert health.next_scheduled(at_the_hour, 5, "UTC") == datetime(2026, 6, 2, 5, 0, tzinfo=UTC)


def test_a_chart_without_runs_or_devices_is_still_a_chart() -> None:
    assert chart.of_runs([]).bars == ()
    assert chart.of_runs([]).top == 1


def test_a_request_that_waits_longer_than_half_a_minute_says_so(
    signed_in: SignIn, acme: Customer, clock: Clock
) -> None:
    browser = signed_in("acme-primary").open(HOME).press("Sync Now")
    assert "it takes seconds" in browser.text
    clock.move(timedelta(seconds=50))
    for path in (HOME, f"{HOME}/progress"):
        assert "has waited for more than 30 seconds" in browser.open(path).text
    assert "has waited" in browser.portal.get(f"{HOME}/progress.json").json()["sentence"]
    assert "The sync has not begun" in browser.open(HOME).text
    clock.move(timedelta(minutes=9))
    assert 'class="state bad"' in browser.open(HOME).text
    assert "has waited for 9 minutes" in browser.text


def test_status_is_not_good_while_nothing_starts_syncs(
    signed_in: SignIn, acme: Customer, clock: Clock, engine: sa.Engine, api: Callable[[str], TestClient]
) -> None:
    with engine.begin() as db:
        heartbeats.beat(db, heartbeats.DAEMON)
    client = api("acme-primary")
    clock.move(timedelta(minutes=4))
    assert client.get("/api/v1/connection").json()["health"]["title"] != "Syncs are not running"
    clock.move(timedelta(minutes=2))
    assert client.get("/api/v1/connection").json()["health"] == {
        "tone": "bad",
        "title": "Syncs are not running",
        "sentence": "Syncs do not start at the moment. What was synced before stays, and nothing is lost.",
        "next_step": {"label": health.OURS.label, "href": None},
    }
    with engine.begin() as db:
        heartbeats.beat(db, heartbeats.DAEMON)
    clock.now = datetime.now(UTC)
    assert client.get("/api/v1/connection").json()["health"]["title"] != "Syncs are not running"


def test_secondary_admins_are_told_who_decides(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    primary, secondary = signed_in("acme-primary").open(HOME), signed_in("acme-secondary").open(HOME)
    assert "Say for each of them who they are." in primary.text
    assert "A Primary Admin decides; you can look." in secondary.text
    for told in ("Say for each", "Decide", "Connect Microsoft Intune"):
        assert told not in secondary.text
    assert "wait for a Primary Admin" in secondary.open(f"{HOME}/result").text
    assert "Decide now" not in secondary.text
    with engine.begin() as db:
        db.execute(sa.update(schema.connections).values(status="needs_consent", status_cause="consent_missing"))
    assert "A Primary Admin connects Microsoft Intune again." in secondary.open(HOME).text
    assert f'href="{HOME}/connect">Connect' not in secondary.text
