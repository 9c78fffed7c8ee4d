"""The list of devices, its CSV, the page of one device, and revealing a bypass code."""

import csv
import io
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import audit
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
    rows = list(csv.DictReader(io.StringIO(browser.text)))
    assert {row["serial_number"] for row in rows} == {"ACME-SN1", "ACME-SN2"}
    assert browser.answer.headers["content-disposition"] == 'attachment; filename="intune-devices-acme.csv"'
    assert acme.bypass_code not in browser.text
    assert "gAAAA" not in browser.text


@pytest.mark.parametrize("query", ["page=0", "page=x", "sort=bypass_code", "outcome=maybe", "search=%00", "reason=x"])
def test_a_malformed_query_is_explained(signed_in: SignIn, acme: Customer, query: str) -> None:
    browser = signed_in("acme-primary").open(f"{DEVICES}?{query}")
    assert browser.answer.status_code == 422
    assert browser.title == "Check what you entered"


def test_the_device_page_tells_why(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary").open(DEVICES).follow("ACME-SN1")
    for said in ("apple.laptop", "A MacBook is a laptop.", "ACME 14.0", "ACME 14.1", "Ada ACME", "Allocated"):
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
