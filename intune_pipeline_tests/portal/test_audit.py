"""The audit log as people read it: who by name and by subject, in words, found and taken away as a file."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from intune_pipeline.inventory import accounts, audit, schema
from intune_pipeline.portal import audit_words
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
SignIn = Callable[[str], Browser]

_plain = st.none() | st.booleans() | st.integers() | st.text("abc_", max_size=6)
DETAILS = st.dictionaries(
    st.sampled_from(["changed", "decision", "intune_device_ids", "linked_to", "employee_id", "new_detail", "why"]),
    st.recursive(
        _plain,
        lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text("ab", min_size=1), inner, max_size=3),
        max_leaves=10,
    ),
)


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


def entry(action: str = "settings", **details: Any) -> audit.Entry:
    return audit.Entry(1, "ada", action, "", None, details, datetime.now(UTC), None)


@given(DETAILS)
def test_no_detail_is_shown_in_a_programs_notation(details: dict[str, Any]) -> None:
    shown = " ".join(audit_words.details(entry(**details)))
    assert not set("{}[]'\"") & set(shown)
    assert not {"True", "False", "None"} & set(shown.split())


def test_a_changed_setting_says_from_what_to_what() -> None:
    told = audit_words.details(entry(changed={"mdm_assignee_updates": [False, True], "absent_lists": [2, 3]}))
    assert told == [
        "Allow MDM to update allwhere assignee: off → on",
        "Lists a device must be absent from: 2 → 3",
    ]


def test_a_long_list_is_cut() -> None:
    told = audit_words.details(entry("release", decision="released", intune_device_ids=[f"d{n}" for n in range(9)]))
    assert told == ["Released: the assets end", "Devices: d0, d1, d2, d3, d4 and 4 others"]


def test_every_recorded_action_has_a_name() -> None:
    """What is written with ``audit.record(action=…)`` anywhere is called something here."""
    import re
    from pathlib import Path

    import intune_pipeline

    sources = "\n".join(path.read_text() for path in Path(intune_pipeline.__file__).parent.rglob("*.py"))
    recorded = set(re.findall(r"action=\"(\w+)\"", sources)) | {"forget", "erase", "lift_erasure"}
    assert len(recorded) > 20
    assert recorded <= set(audit_words.ACTIONS)


def test_who_acted_is_named_by_address_and_by_subject(
    signed_in: SignIn, acme: Customer, api: Callable[[str], TestClient]
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/settings").press("Turn on holding look-alikes")
    page = browser.open(f"{HOME}/audit").text
    assert "primary@acme.example" in page
    assert "auth0|acme-primary" in page
    assert "Hold look-alikes for my decision: off → on" in page
    newest = api("acme-secondary").get("/api/v1/audit?limit=1").json()[0]
    assert (newest["actor"], newest["actor_subject"]) == ("primary@acme.example", "auth0|acme-primary")
    assert newest["told"] == ["Hold look-alikes for my decision: off → on"]


def test_the_subject_of_one_request_is_not_in_the_next(
    api: Callable[[str], TestClient], acme: Customer, engine: sa.Engine
) -> None:
    for user in ("acme-primary", "acme-secondary"):
        api(user).post("/api/v1/syncs")
    with engine.begin() as db:
        audit.record(db, accounts.get(db, "acme").id, actor="operator:ada", action="sessions")
    kept = schema.audit_log.c
    with engine.connect() as db:
        named = db.scalars(sa.select(kept.actor_subject).where(kept.action.in_(["sync", "sessions"])).order_by(kept.id))
        assert list(named) == ["auth0|acme-primary", "auth0|acme-secondary", None]


def test_who_pressed_sync_now_is_in_the_log(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary").open(HOME).press("Sync Now")
    page = browser.open(f"{HOME}/audit?action=sync").text
    assert "Asked for a sync" in page
    assert "secondary@acme.example" in page


def test_to_whom_somebody_was_linked_is_in_the_log(
    api: Callable[[str], TestClient], signed_in: SignIn, acme: Customer
) -> None:
    decided = {"hold_ids": [acme.employee_holds[0]], "decision": "link"}
    assert api("acme-primary").post("/api/v1/holds/employees", json=decided).status_code == 200
    page = signed_in("acme-secondary").open(f"{HOME}/audit?action=release").text
    assert "ada@ACME.example" in page
    assert "Linked to Ada ACME, employee 1" in page


def record(engine: sa.Engine, *, days_ago: int = 0, **entry: Any) -> None:
    """An entry of some days ago."""
    with engine.begin() as db:
        known = {"actor": "operator:eve", "action": "sessions", "subject": "", "details": {}} | entry
        at = datetime.now(UTC) - timedelta(days=days_ago)
        account_id = accounts.get(db, "acme").id
        db.execute(sa.insert(schema.audit_log).values(account_id=account_id, at=at, **known))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"new", "old", "100%", "reason"}),
        ("action=reveal", {"old"}),
        ("person=EVE", {"old", "100%", "reason"}),
        ("about=100%25", {"100%"}),
        ("about=_", set()),
        ("about=broken", {"reason"}),
        ("since={today}", {"new", "100%", "reason"}),
        ("until={today}&person=eve", {"old", "100%", "reason"}),
        ("until={before}", {"old"}),
        ("action=&person=&about=&since=&until=", {"new", "old", "100%", "reason"}),
        ("until=9999-12-31&action=reveal", {"old"}),
    ],
)
def test_entries_are_found(
    api: Callable[[str], TestClient], signed_in: SignIn, app: FastAPI, engine: sa.Engine, query: str, found: set[str]
) -> None:
    record(engine, subject="old", action="reveal", days_ago=9)
    record(engine, subject="new", actor="ada@acme.example")
    record(engine, subject="100%")
    record(engine, subject="reason", reason="It is broken")
    today = datetime.now(UTC).date()
    query = query.format(today=today, before=today - timedelta(days=5))
    page = signed_in("acme-primary").open(f"{HOME}/audit?{query}").text
    assert {word for word in ("new", "old", "100%", "reason") if f"<div>{word}<" in page} == found
    if "since=&" not in query:
        told = api("acme-primary").get(f"/api/v1/audit?{query}").json()
        assert {one["subject"] for one in told} == found


def test_a_day_that_is_none_is_said_beside_its_field(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/audit?since=yesterday&person=ada")
    assert browser.answer.status_code == 422
    assert "Write a day like 2026-11-27." in browser.text
    assert 'value="yesterday" aria-invalid="true"' in browser.text
    assert 'value="ada"' in browser.text


def test_older_entries_are_found_by_the_same_words(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    for number in range(60):
        record(engine, subject=f"wanted-{number}")
        record(engine, subject=f"other-{number}", action="reveal")
    browser = signed_in("acme-primary").open(f"{HOME}/audit?action=sessions&about=wanted").follow("Older entries")
    assert "wanted-9<" in browser.text
    assert "other-" not in browser.text


@pytest.mark.parametrize("path", [f"{HOME}/audit.csv", "/api/v1/audit.csv"])
def test_the_log_is_taken_away_as_a_file_a_spreadsheet_reads(
    signed_in: SignIn, api: Callable[[str], TestClient], app: FastAPI, engine: sa.Engine, path: str
) -> None:
    record(engine, subject="=HYPERLINK()", reason="é", details={"changed": {"absent_lists": [1, 2]}}, action="settings")
    record(engine, subject="hidden", action="reveal")
    client = api("acme-secondary") if path.startswith("/api") else signed_in("acme-secondary").portal
    answer = client.get(f"{path}?action=settings")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbfWhen (UTC),Who,")
    assert "'=HYPERLINK()" in answer.text
    assert "Lists a device must be absent from: 1 → 2" in answer.text
    assert "é" in answer.text
    assert "hidden" not in answer.text


def test_the_subject_is_part_of_what_the_chain_proves(
    api: Callable[[str], TestClient], acme: Customer, engine: sa.Engine
) -> None:
    api("acme-primary").post("/api/v1/syncs")
    with engine.begin() as db:
        assert audit.broken(db) == []
        db.execute(sa.update(schema.audit_log).where(schema.audit_log.c.action == "sync").values(actor_subject="other"))
        assert [one.account for one in audit.broken(db)] == ["acme"]
