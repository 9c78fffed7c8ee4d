"""The status page: health, counts, the chart, Sync Now, and watching a sync."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import SkipReason
from intune_pipeline.inventory import connections, heartbeats, schema, sync_runs
from intune_pipeline.portal import chart, health
from intune_pipeline.portal.rendering import relative
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
    assert '<dt>In Intune</dt><dd><a href="#in-intune">205</a></dd>' in text
    assert "Why 203 devices are not synced" in text
    for reason in (SkipReason.PERSONAL, SkipReason.DESKTOP, SkipReason.NO_SERIAL):
        assert f"{SKIPPED[reason].name}<" in text
        assert SKIPPED[reason].remedy in text
    assert f'href="{HOME}/devices?reason=desktop&amp;presence=in_intune"' in text
    assert "reason=personal" not in text, "personal devices are listed nowhere"


def test_each_number_is_how_many_devices_its_link_lists(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    """Also for devices that are gone, whatever became of them before."""
    with engine.begin() as db:
        gone = schema.device_outcomes.c.intune_device_id.in_(["ACME-2", "ACME-3"])
        db.execute(sa.update(schema.device_outcomes).where(gone).values(sync_run_id=acme.run_id - 1))
        db.execute(sa.update(schema.sync_runs).values(list_complete=True))
    browser = signed_in("acme-primary").open(HOME)
    table = browser.text[browser.text.index('<table class="stack totals">') :]
    rows = re.findall(r'<a href="([^"]+)">([^<]+)</a>.*?data-label="Number">(\d+)', table, re.DOTALL)
    assert {name: int(number) for _, name, number in rows[:4]} == {
        "Synced": 1,
        "Failed": 1,
        "No serial number": 1,
        "Gone from Intune": 2,
    }
    for href, name, number in rows[:4]:
        found = browser.open(href.replace("&amp;", "&")).text
        assert f"{number} device{'' if number == '1' else 's'}, page 1 of 1" in found, name


def test_the_fleet_is_shown_by_type_system_age_and_last_contact(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    with engine.begin() as db:
        db.execute(sa.update(schema.assets).values(release_date="2021-10-26"))
    browser = signed_in("acme-primary").open(HOME)
    for title in ("By type", "By system", "By age: year the model was released", "By last contact"):
        assert f"<h3>{title}</h3>" in browser.text
    browser.follow("2021 (")
    assert "1 device, page 1 of 1" in browser.text
    assert "ACME-SN1" in browser.text
    assert '<option value="2021" selected>2021</option>' in browser.text


def test_what_changed_since_yesterday_is_told_with_its_run(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    assert "What changed" not in signed_in("acme-primary").open(HOME).text, "there is no yesterday"
    with engine.begin() as db:
        now = datetime.now(UTC)
        times = {"started_at": now - timedelta(hours=30), "finished_at": now - timedelta(hours=30)}
        db.execute(
            sa.update(schema.sync_runs).where(schema.sync_runs.c.id == acme.run_id).values(list_complete=True, **times)
        )
        db.execute(sa.update(schema.device_outcomes).values(first_seen_at=now - timedelta(days=9)))
        run_id = sync_runs.open_run(db, acme.connection_id, "schedule", None)
        new = schema.device_outcomes.c.intune_device_id == "ACME-1"
        gone = schema.device_outcomes.c.intune_device_id == "ACME-3"
        db.execute(
            sa.update(schema.device_outcomes).where(gone).values(absent_since=now, last_seen_at=times["started_at"])
        )
        db.execute(sa.update(schema.device_outcomes).where(new).values(sync_run_id=run_id, first_seen_at=now))
        sync_runs.succeed(db, run_id, {"assets_created": 3, "employees_created": 1})
    browser = signed_in("acme-primary").open(HOME)
    assert "What changed since yesterday" in browser.text
    told = re.findall(r"<li><strong>(\d+)</strong> <a[^>]*>([^<]+)</a>", browser.text)
    assert told == [
        ("1", "device new in Intune"),
        ("1", "device gone from Intune"),
        ("3", "assets created"),
        ("1", "employee added"),
    ]
    browser.follow("employee added")
    assert browser.url.endswith(f"/runs/{run_id}?kind=employee_added")


def test_times_are_relative_with_the_exact_one_beside_and_the_daily_hour_is_a_rule(
    signed_in: SignIn, acme: Customer
) -> None:
    text = signed_in("acme-primary").open(HOME).text
    assert re.search(r'<span class="moment">[12] hours? ago <time datetime="[^"]+">[^<]+ UTC</time></span>', text)
    assert "<dt>Syncs run</dt><dd>every day at 05:00 UTC</dd>" in text
    assert re.search(r'<dt>Next sync</dt><dd><span class="moment">in ', text)


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        (timedelta(seconds=30), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=59), "59 days ago"),
        (timedelta(days=60), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
        (-timedelta(hours=5), "in 5 hours"),
        (-timedelta(seconds=5), "in a moment"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit_that_says_enough(apart: timedelta, words: str) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert relative(now - apart, now) == words


def test_times_are_machine_readable_and_in_utc_without_script(signed_in: SignIn, acme: Customer) -> None:
    text = signed_in("acme-primary").open(HOME).text
    assert text.count("<time datetime=") >= 4
    assert " UTC</time>" in text


def test_the_chart_has_a_title_and_the_same_as_a_table(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    assert '<svg class="chart"' not in signed_in("acme-primary").open(HOME).text, "two runs need none"
    with engine.begin() as db:
        sync_runs.succeed(db, sync_runs.open_run(db, acme.connection_id, "schedule", None), {})
    text = signed_in("acme-primary").open(HOME).text
    assert "The last 3 runs" in text
    assert 'role="img" aria-labelledby="chart-title"' in text
    assert text.count('<rect class="failed"') == 1
    assert text.count('<rect class="synced"') == 2
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


def test_few_runs_make_no_chart_and_a_chart_is_as_wide_as_its_runs(engine: sa.Engine, acme: Customer) -> None:
    with engine.connect() as db:
        failed, good, *_ = sync_runs.last(db, "acme", 2)
    assert chart.of_runs([]) is None
    assert chart.of_runs([good, failed]) is None
    for number in (3, 10, 30, 40):
        drawn = chart.of_runs([replace(good, devices_listed=0, devices_synced=0)] * number)
        assert drawn is not None
        assert drawn.top == 1
        assert len(drawn.bars) == min(number, 30)
        assert all(bar.width > 0 and bar.synced_height == 0 for bar in drawn.bars)
        assert drawn.bars[0].x < drawn.left + 5
        assert 0 <= drawn.width - (drawn.bars[-1].x + drawn.bars[-1].width) < 5
        assert drawn.width <= 640


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
