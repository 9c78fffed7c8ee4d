"""The list of devices, its CSV, the page of one device, and revealing a bypass code."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import audit, kept_values, schema
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

DEVICES = "/integrations/intune/devices"
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


def test_devices_are_searched_filtered_and_sorted_by_links_and_forms(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary").open(DEVICES)
    assert "5 devices, page 1 of 1" in browser.text
    browser.press("Show", search="PC-2")
    assert "1 device, page 1 of 1" in browser.text
    assert "ACME-SN2" in browser.text
    browser.press("Show", search="", outcome="skipped")
    assert "2 devices" in browser.text
    browser.follow("Serial number")
    assert "sort=serial_number" in browser.url
    assert "outcome=skipped" in browser.url
    assert 'aria-sort="ascending"' in browser.text


def test_nothing_found_is_said(signed_in: SignIn, acme: Customer) -> None:
    assert "0 devices" in signed_in("acme-primary").open(f"{DEVICES}?search=nowhere").text


def test_the_csv_holds_what_is_found(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{DEVICES}?outcome=synced").follow("Download as CSV")
    assert browser.text.startswith("\N{ZERO WIDTH NO-BREAK SPACE}Serial number,"), "spreadsheets know that it is UTF-8"
    rows = list(csv.DictReader(io.StringIO(browser.text[1:])))
    assert [row["Serial number"] for row in rows] == ["ACME-SN1", "ACME-SN2"]
    assert [row["Assignee in allwhere"] for row in rows] == ["Ada ACME", ""]
    assert {row["Result"] for row in rows} == {"Synced"}
    assert browser.answer.headers["content-disposition"] == 'attachment; filename="intune-devices-acme.csv"'
    assert acme.bypass_code not in browser.text
    assert "gAAAA" not in browser.text


@pytest.mark.parametrize(
    ("zone", "shown", "hour"),
    [
        ("Europe/Berlin", "Europe/Berlin", "14:30"),
        ("Nowhere/Town", "UTC", "13:30"),
        ("../../etc/passwd", "UTC", "13:30"),
    ],
)
def test_times_in_the_csv_are_the_readers(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, zone: str, shown: str, hour: str
) -> None:
    with engine.begin() as db:
        db.execute(sa.update(schema.device_outcomes).values(last_contact_at=datetime(2026, 1, 5, 13, 30, tzinfo=UTC)))
    text = signed_in("acme-primary").portal.get(f"{DEVICES}.csv", params={"time_zone": zone}).text
    row = next(csv.DictReader(io.StringIO(text[1:])))
    assert row[f"Last contact with Intune ({shown})"] == f"2026-01-05 {hour}"


def test_filters_in_use_are_shown_and_cleared_one_by_one(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{DEVICES}?system=macOS&device_type=laptop&search=PC")
    assert "3 devices" in browser.text
    browser.follow("Type: Laptop")
    assert "5 devices" in browser.text
    assert "system=macOS" in browser.url
    browser.follow("Clear all")
    assert browser.url.endswith("/devices")


@pytest.mark.parametrize(
    ("query", "serials"),
    [
        ("search=ada acme", {"ACME-SN1"}),
        ("search=PERSON@acme", {"ACME-SN2"}),
        ("search=straße", {"ACME-SN2"}),
        ("presence=gone", {"ACME-SN5"}),
        ("contact=week", {"ACME-SN2"}),
        ("released=2021", {"ACME-SN1"}),
        ("decided=field_locked", {"ACME-SN1"}),
        ("decided=assignee_chosen", set()),
        ("decided=model_taught", {"ACME-SN3"}),
        ("system=Windows", set()),
        ("system=Other", {"ACME-SN3"}),
    ],
)
def test_devices_are_found_by_all_that_is_shown_of_them(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, query: str, serials: set[str]
) -> None:
    device = sa.update(schema.device_outcomes)
    is_ = schema.device_outcomes.c.intune_device_id
    week = datetime.now(UTC) - timedelta(days=3)
    with engine.begin() as db:
        db.execute(sa.update(schema.assets).values(release_date="2021"))
        kept_values.lock(db, "acme", "ACME-SN1", "model", actor="ann")
        told = {"listed_user": "person@acme.example", "last_contact_at": week, "device_name": "Straße 7"}
        db.execute(device.where(is_ == "ACME-2").values(**told))
        db.execute(device.where(is_ == "ACME-3").values(rule="account:7", operating_system="BeOS"))
        db.execute(device.where(is_ == "ACME-5").values(absent_since=week))
    found = signed_in("acme-primary").open(f"{DEVICES}?{query}").text
    assert {
        serial for serial in ("ACME-SN1", "ACME-SN2", "ACME-SN3", "ACME-SN5") if f">{serial}</a>" in found
    } == serials


def test_a_device_without_a_serial_number_has_a_page_and_leads_back(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{DEVICES}?search=PC-4&sort=user&order=asc")
    browser.follow("No serial number")
    assert browser.title == "ACME-PC-4"
    assert "Not synced: No serial number" in browser.text
    assert not browser.has_button("Lock")
    browser.follow("‹ Devices")
    assert browser.url.endswith("/devices?search=PC-4&sort=user&order=asc")


def test_devices_that_share_a_placeholder_have_a_page_each(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    with engine.begin() as db:
        table = schema.device_outcomes
        ids = table.c.intune_device_id.in_(["ACME-3", "ACME-4"])
        db.execute(sa.update(table).where(ids).values(serial_number="0", reason="junk_serial"))
    browser = signed_in("acme-primary").open(f"{DEVICES}?reason=junk_serial&sort=device_name&order=desc").follow("0")
    assert browser.title == "ACME-PC-4"
    assert "ACME-PC-3" not in browser.text


def test_the_way_back_leads_to_no_other_place(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary")
    browser.open(
        f"{DEVICES}/../device?serial_number=ACME-SN1&back=https://evil.example/?search=x%26next=//evil.example"
    )
    assert "evil.example" not in browser.text


def test_a_page_that_is_not_there_leads_to_the_last(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{DEVICES}?page=9")
    assert "There is no page 9" in browser.text
    browser.follow("Go to the last page, 1")
    assert "5 devices, page 1 of 1" in browser.text


def test_intunes_values_stand_beside_allwheres(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    listed_at = datetime(2026, 1, 5, 13, 30, tzinfo=UTC)
    with engine.begin() as db:
        listed = {"partition_key": "acme", "intune_device_id": "ACME-1", "ownership": "company", "skip_reason": None}
        told = {
            "model": "MacBook Pro",
            "os_version": "15.1",
            "user_email": "bob@acme.example",
            "user_display_name": "Bob B",
        }
        judged = {"device_type": "laptop", "rule": "apple.laptop", "rule_reason": "A MacBook is a laptop."}
        db.execute(sa.insert(schema.classified_devices).values(**listed, **told, **judged, operating_system="macOS"))
        snapshot = {"asset": "classified_devices", "partition_key": "acme", "tenant_id": "t", "run_id": "r"}
        numbers = {"complete": True, "devices_listed": 1, "personal": 0, "rows": 1}
        db.execute(sa.insert(schema.snapshots).values(**snapshot, **numbers, listing_id="l", listed_at=listed_at))
    text = signed_in("acme-secondary").open(DEVICES).follow("ACME-SN1").text
    rows = {row[0]: row[1:] for row in re.findall(_EVIDENCE_ROW, text, re.DOTALL)}
    assert [re.sub(r"<[^>]+>", "", cell).split("Differs")[0].strip() for cell in rows["Assignee"]] == [
        "Bob B (bob@acme.example)",
        "Ada ACME (ada@home-ACME.example)",
    ]
    assert "Differs" in rows["Assignee"][1]
    assert "15.1" in rows["OS version"][0]
    assert "nothing" in rows["OS version"][1]
    assert "Differs" not in rows["Type"][1]
    assert "not Intune's" in rows["Status"][0]


_EVIDENCE_ROW = r'data-label="Field">([^<]+)</th>\s*<td data-label="Intune says"[^>]*>(.*?)</td>\s*<td data-label="allwhere has"[^>]*>(.*?)</td>'


@pytest.mark.parametrize(
    "query",
    [
        "released=soon",
        "decided=x",
        "presence=x",
        "page=0",
        "page=x",
        "sort=bypass_code",
        "outcome=maybe",
        "search=%00",
        "reason=x",
    ],
)
def test_a_malformed_query_is_explained(signed_in: SignIn, acme: Customer, query: str) -> None:
    browser = signed_in("acme-primary").open(f"{DEVICES}?{query}")
    assert browser.answer.status_code == 422
    assert browser.title == "Check what you entered"


def test_the_device_page_tells_why(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary").open(DEVICES).follow("ACME-SN1")
    assert "apple.laptop" not in browser.text, "the rule's id is nothing to a customer"
    for said in ("A MacBook is a laptop.", "ACME 14.0", "ACME 14.1", "Ada ACME", "Allocated"):
        assert said in browser.text
    assert acme.bypass_code not in browser.text
    assert "gAAAA" not in browser.text
    assert not browser.has_button("Reveal")


def test_an_unknown_serial_number_is_not_found(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open("/integrations/intune/device?serial_number=NOWHERE")
    assert browser.answer.status_code == 404


def test_revealing_wants_a_reason_shows_the_code_once_and_leaves_a_trace(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(DEVICES).follow("ACME-SN1")
    browser.press("Reveal the code", reason="  short  ")
    assert browser.answer.status_code == 422
    assert acme.bypass_code not in browser.text

    browser.open(DEVICES).follow("ACME-SN1").press("Reveal the code", reason="Ada left us in May")
    assert acme.bypass_code in browser.text
    assert browser.answer.headers["cache-control"] == "no-store"
    with engine.connect() as db:
        entry = audit.entries(db, "acme")[0]
    assert (entry.action, entry.actor, entry.subject, entry.reason) == (
        "reveal", "primary@acme.example", "ACME-SN1", "Ada left us in May",
    )  # fmt: skip
    browser.open(DEVICES).follow("ACME-SN1")
    assert acme.bypass_code not in browser.text
    assert "by primary@acme.example: Ada left us in May" in browser.text


def test_a_secondary_admin_cannot_reveal(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary").open(DEVICES)
    answer = browser.portal.post(
        "/integrations/intune/device/reveal",
        data={"form_token": browser.form_token(), "serial_number": "ACME-SN1", "reason": "curious"},
    )
    assert answer.status_code == 403
    assert acme.bypass_code not in answer.text


def test_loading_the_codes_page_again_shows_nothing(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open("/integrations/intune/device?serial_number=ACME-SN1")
    form = {"form_token": browser.form_token(), "serial_number": "ACME-SN1", "once": "a-token-of-the-form"}
    sent = {**form, "reason": "Ada left us in May"}
    first, again = (browser.portal.post("/integrations/intune/device/reveal", data=sent) for _ in range(2))
    assert acme.bypass_code in first.text
    assert (again.status_code, acme.bypass_code in again.text) == (409, False)
    assert "The code was shown already" in again.text
    browser.press("Reveal the code", reason="It is needed once more")
    assert acme.bypass_code in browser.text
    with engine.connect() as db:
        assert len([entry for entry in audit.entries(db, "acme") if entry.action == "reveal"]) == 2


def test_a_reason_too_short_is_said_beside_the_field_and_kept(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open("/integrations/intune/device?serial_number=ACME-SN1")
    browser.press("Reveal the code", reason="short")
    assert (browser.answer.status_code, browser.title) == (422, "Reveal the activation-lock bypass code?")
    assert 'value="short"' in browser.text
    assert 'aria-describedby="reason-error reason-hint"' in browser.text
    browser.press("Reveal the code", reason="long enough now")
    assert acme.bypass_code in browser.text
