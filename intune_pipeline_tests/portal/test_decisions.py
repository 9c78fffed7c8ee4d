"""Decisions about people and devices: looked for, chosen, checked, decided, seen afterwards and taken back."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.domain.vocabulary import LifecycleDecision
from intune_pipeline.inventory import accounts, holds, schema, sync_locks
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
PEOPLE, DEVICES, DECIDED = (f"{HOME}/decisions/{tab}" for tab in ("people", "devices", "decided"))
MANY = 3_000
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    """Two look-alikes wait, ada@… and bob@…, and the end of one device."""
    return furnish(engine, "acme", "ACME")


@pytest.fixture
def crowd(acme: Customer, engine: sa.Engine) -> Customer:
    """3,000 more look-alikes of each grade, and 3,000 devices, wait."""
    with engine.begin() as db:
        given = {"connection": acme.connection_id, "many": MANY}
        db.execute(
            sa.text("""
                insert into employee_holds (connection_id, email, first_name, last_name, lookalike_id, grade, reason)
                select :connection, 'p' || n || '@acme.example', 'Ann', 'Berg' || n, (select min(id) from employees),
                       case when n % 3 = 0 then 'surely' else 'probably' end, 'the same name'
                from generate_series(1, :many) n
            """),
            given,
        )
        db.execute(
            sa.text("""
                update lifecycle_holds set intune_device_ids =
                    (select jsonb_agg('d' || n) from generate_series(1, :many) n) where connection_id = :connection
            """),
            given,
        )
    return acme


def decisions_of(engine: sa.Engine) -> Counter[str]:
    with engine.connect() as db:
        return Counter(db.scalars(sa.select(schema.employee_holds.c.decision)))


def ends_of(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as db:
        holds_ = schema.lifecycle_holds.c
        rows = db.execute(sa.select(holds_.decision, sa.func.jsonb_array_length(holds_.intune_device_ids)))
        return dict(rows.tuples().all())


def syncs_asked_for(engine: sa.Engine) -> int:
    with engine.connect() as db:
        return int(db.scalar(sa.select(sa.func.count()).select_from(schema.sync_requests)) or 0)


# -- people ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("button", "sentence", "decision", "done"),
    [
        ("chosen one with", "Make this person one with the employee beside them?", "linked", "1 person is one with"),
        ("chosen as new", "Add this person as a new employee?", "created", "1 person is a new employee"),
        ("chosen out", "Leave this person out?", "skipped", "1 user is left out"),
    ],
)
def test_a_person_is_decided_about_after_a_look_at_what_follows(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, button: str, sentence: str, decision: str, done: str
) -> None:
    browser = signed_in("acme-primary").open(PEOPLE)
    assert "ada@<wbr>home-ACME.example" in browser.text
    browser.press(button, hold_id=str(acme.employee_holds[0]))
    assert browser.title == sentence
    assert decisions_of(engine) == {"waiting": 2}, "looking changes nothing"
    browser.press(sentence.rstrip("?"))
    assert browser.path == PEOPLE
    assert done in browser.text
    assert decisions_of(engine) == {decision: 1, "waiting": 1}


def test_the_buttons_say_how_many(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(PEOPLE)
    browser.press("chosen one with", hold_id=list(map(str, acme.employee_holds)))
    browser.press("Make these 2 people one with the employee beside them")
    assert "2 people are one with the employee beside them" in browser.text
    assert "Nobody waits for a decision." in browser.text


def test_three_thousand_are_decided_by_a_search(signed_in: SignIn, crowd: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(f"{PEOPLE}?search=berg&grade=surely")
    assert "1\u202f000 people" in browser.text
    browser.press("chosen as new", scope="found")
    assert browser.title == "Add these 1 000 people as new employees?"
    assert len(browser.text) < 100_000, "no form with a thousand fields"
    browser.press("Add these")
    assert decisions_of(engine) == {"created": 1_000, "waiting": 2_002}
    browser.open(PEOPLE).press("chosen one with", scope="found").press("Make these 2 002 people one")
    assert decisions_of(engine) == {"created": 1_000, "linked": 2_002}


def test_the_list_is_searched_filtered_and_paged(signed_in: SignIn, crowd: Customer) -> None:
    browser = signed_in("acme-primary").open(PEOPLE)
    assert browser.text.count('name="hold_id"') == 50
    assert "Page 1 of 61" in browser.text
    assert "Page 2 of 61" in browser.follow("Next").text
    assert browser.open(f"{PEOPLE}?search=p2999@").text.count('name="hold_id"') == 1
    assert "3\u202f002 people" in browser.open(f"{PEOPLE}?search=home-acme").text, "the look-alike's address counts too"
    assert "1\u202f000 people" in browser.open(f"{PEOPLE}?grade=surely").text
    assert "Nobody who waits is found." in browser.open(f"{PEOPLE}?search=%25").text


def test_nobody_ticked_is_said_and_changes_nothing(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(PEOPLE).press("chosen out")
    assert browser.answer.status_code == 422
    assert "Tick at least one person" in browser.text
    assert decisions_of(engine) == {"waiting": 2}


def test_a_stale_tab_decides_what_is_open_and_names_who_was_not(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(PEOPLE)
    browser.press("chosen one with", hold_id=list(map(str, acme.employee_holds)))
    with engine.begin() as db:
        holds.decide_employees(db, "acme", acme.employee_holds[:1], "skip", decided_by="bo@acme.example")
    browser.press("Make these 2 people")
    assert "1 person is one with the employee beside them" in browser.text
    assert "Ada ACME.example: left out by bo@acme.example" in browser.text
    assert decisions_of(engine) == {"skipped": 1, "linked": 1}
    browser.open(f"{PEOPLE}/check?decision=link&hold_id={acme.employee_holds[0]}")
    assert "none of them waits any more" in browser.text


def test_a_stale_search_decides_nobody_who_was_not_shown(signed_in: SignIn, crowd: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(f"{PEOPLE}?search=berg1").press("chosen out", scope="found")
    assert "Leave these 1 111 people out?" in browser.title
    with engine.begin() as db:
        db.execute(
            sa.insert(schema.employee_holds).values(
                connection_id=crowd.connection_id, email="new@acme.example", first_name="Ann", last_name="Berg1"
            )
        )
    browser.press("Leave these")
    assert browser.answer.status_code == 409
    assert "There are others now" in browser.text
    assert "Leave these 1 112 people out?" in browser.title
    assert "skipped" not in decisions_of(engine)
    with engine.begin() as db:
        holds.decide_employees(db, "acme", None, "create", decided_by="bo", search="berg10")
    browser.press("Leave these")
    assert "are left out" in browser.text
    assert "of those you saw were decided about by others meanwhile" in browser.text
    assert decisions_of(engine)["skipped"] == 1_001


def test_as_many_others_are_not_taken_for_those_who_were_shown(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(PEOPLE)
    with engine.begin() as db:
        holds.decide_employees(db, "acme", acme.employee_holds[:1], "skip", decided_by="bo")
        made = db.scalar(sa.select(schema.hold_decisions.c.id))
    browser.open(f"{PEOPLE}/check?decision=create&scope=found")
    with engine.begin() as db:
        holds.decide_employees(db, "acme", acme.employee_holds[1:], "skip", decided_by="bo")
        holds.undo_decision(db, "acme", made, undone_by="bo")
    browser.press("Add this person")
    assert browser.answer.status_code == 409
    assert "created" not in decisions_of(engine)


def test_whom_an_answer_does_not_fit_waits_on_and_is_counted(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    with engine.begin() as db:
        held = schema.employee_holds
        db.execute(sa.update(held).where(held.c.id == acme.employee_holds[0]).values(lookalike_id=None))
    browser = signed_in("acme-primary").open(PEOPLE).press("chosen one with", scope="found")
    assert "looks like no employee any more" in browser.text
    browser.press("Make these 2 people")
    assert "1 of them waits on" in browser.text
    assert decisions_of(engine) == {"linked": 1, "waiting": 1}


def test_shared_accounts_are_left_out_or_said_to_be_people(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    with engine.begin() as db:
        db.execute(
            sa.update(schema.employee_holds).values(
                kind="shared", lookalike_id=None, reason="is named like a room", display_name="Boardroom"
            )
        )
        held = schema.employee_holds
        db.execute(sa.update(held).where(held.c.id == acme.employee_holds[1]).values(first_name=None, last_name=None))
    browser = signed_in("acme-primary").open(f"{HOME}/decisions")
    assert browser.path == PEOPLE
    assert "It is named like a room" in browser.text
    browser.press("Those chosen are people", scope="found")
    assert "has no first and last name in Intune" in browser.text
    browser.press("These 2 are people")
    assert decisions_of(engine) == {"created": 1, "waiting": 1}
    browser.press("Those chosen are no people", hold_id=str(acme.employee_holds[1])).press("This is no person")
    assert decisions_of(engine) == {"created": 1, "skipped": 1}


# -- devices ---------------------------------------------------------------------------------------------------------


def test_releasing_shows_the_devices_their_users_and_last_contacts_first(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    with engine.begin() as db:
        db.execute(sa.text("update device_outcomes set last_contact_at = '2026-03-01 10:00+00'"))
    browser = signed_in("acme-primary").open(DEVICES).press("End the assignments", device_id="ACME-1")
    assert "End this device" in browser.title
    for said in ("ACME-SN1", "Ada ACME (ada@home-ACME.example)", "1 Mar 2026, 10:00 UTC", "becomes Transferred"):
        assert said in browser.text
    browser.press("End this device")
    assert ends_of(engine) == {"released": 1}
    assert "The assignment of 1 device ends" in browser.text


def test_three_thousand_devices_are_decided_in_parts(signed_in: SignIn, crowd: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(DEVICES)
    assert "3\u202f000 devices" in browser.text
    browser.press("Keep the assets", device_id=["d1", "d2"]).press("Keep the assets of these 2 devices")
    assert ends_of(engine) == {"dropped": 2, "waiting": 2_998}
    browser.press("Keep the assets", device_id=["d1", "d3"]).press("Keep this device")
    assert "d1: kept as it is by primary@acme.example" in browser.text
    browser.press("End the assignments", scope="found").press("End the assignments of these 2 997 devices")
    assert Counter(ends_of(engine)) >= Counter({"released": 2_997})
    assert "No device waits for a decision." in browser.text


def test_a_release_that_needs_a_new_sign_in_is_kept_and_sent_after_it(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(DEVICES).press("End the assignments", scope="found")
    with engine.begin() as db:
        db.execute(sa.text("update portal_sessions set authenticated_at = authenticated_at - interval '11 minutes'"))
    browser.press("End this device")
    assert browser.answer.status_code == 401
    assert ends_of(engine) == {"waiting": 1}
    browser.follow("Sign in").open_as("acme-primary")
    assert browser.title == "Send this again?"
    assert "fingerprint" not in re.sub(r"<input[^>]*>", "", browser.text).lower()
    browser.press("Send it")
    assert ends_of(engine) == {"released": 1}


def test_devices_are_searched(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{DEVICES}?search=acme-sn")
    assert "1 device." in browser.text
    assert "No device that waits is found" in browser.open(f"{DEVICES}?search=nothing").text


# -- afterwards ------------------------------------------------------------------------------------------------------


def test_a_decision_is_applied_now_whenever_the_last_sync_was(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(HOME).press("Sync Now")
    with engine.begin() as db:
        db.execute(sa.text("update sync_requests set status = 'succeeded'"))
    browser.open(PEOPLE).press("chosen out", hold_id=str(acme.employee_holds[0])).press("Leave this", tick=("apply",))
    assert "Watch it" in browser.text
    assert syncs_asked_for(engine) == 2
    with engine.begin() as db:
        db.execute(sa.text("update sync_requests set status = 'succeeded'"))
    browser.open(DECIDED).press("Apply now")
    assert browser.title == "Sync in progress"
    assert syncs_asked_for(engine) == 3


def test_a_decision_is_seen_and_taken_back_until_a_sync_takes_it(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(PEOPLE)
    browser.press("chosen as new", scope="found").press("Add these 2 people").press("Undo")
    assert browser.path == DECIDED
    assert "2 people wait for a decision again" in browser.text
    assert "Taken back by primary@acme.example" in browser.text
    assert decisions_of(engine) == {"waiting": 2}

    browser.open(PEOPLE).press("chosen out", scope="found").press("Leave these 2 people out").open(DECIDED)
    assert "Ada ACME.example, Ada ACME.example" in browser.text
    with engine.begin() as db:
        db.execute(
            sa.text("update hold_decisions set applied_run_id = :run where undone_at is null"), {"run": acme.run_id}
        )
    browser.press("Undo")
    assert browser.answer.status_code == 409
    assert f"Run {acme.run_id} has taken it up already" in browser.text
    assert not browser.has_button("Undo")
    assert f"{HOME}/runs/{acme.run_id}" in browser.text


def test_decided_is_paged(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    with engine.begin() as db:
        db.execute(
            sa.text("""
                insert into hold_decisions (connection_id, kind, decision, size, decided_by)
                select :connection, 'employees', 'skipped', 1, 'person-' || n from generate_series(1, 60) n
            """),
            {"connection": acme.connection_id},
        )
    browser = signed_in("acme-primary").open(DECIDED)
    assert "person-60" in browser.text
    assert "person-5<" not in browser.text
    assert "person-5<" in browser.follow("Older decisions").text


def test_the_first_list_with_something_in_it_opens(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/holds")
    assert browser.path == PEOPLE
    with engine.begin() as db:
        holds.decide_employees(db, "acme", None, "skip", decided_by="x")
    assert browser.open(f"{HOME}/decisions").path == DEVICES
    with engine.begin() as db:
        holds.decide_lifecycle(db, "acme", LifecycleDecision.DROPPED, decided_by="x")
    assert browser.open(f"{HOME}/decisions").path == PEOPLE


def test_a_secondary_admin_looks_and_is_not_told_to_decide(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary").open(HOME)
    assert "A Primary Admin decides; you can look." in browser.text
    assert "who they are" not in browser.text
    for path in (PEOPLE, f"{PEOPLE}?kind=shared", DEVICES, DECIDED):
        browser.open(path)
        assert browser.answer.status_code == 200
        assert not re.search(r'type="checkbox"|<button name=|you decide', browser.text), path
    assert browser.open(f"{PEOPLE}/check?decision=link&hold_id={acme.employee_holds[0]}").answer.status_code == 403
    token = browser.open(PEOPLE).form_token()
    for path in (PEOPLE, DEVICES, f"{HOME}/decisions/undo", f"{HOME}/decisions/apply"):
        sent = {"form_token": token, "decision": "released" if path == DEVICES else "skip", "decision_id": "1"}
        assert browser.portal.post(path, data=sent).status_code == 403


def test_while_a_sync_runs_nothing_is_taken_back(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(PEOPLE)
    browser.press("chosen out", scope="found").press("Leave these 2 people out")
    with sync_locks.locked(engine, acme.connection_id):
        browser.press("Undo")
    assert browser.answer.status_code == 409
    assert "A sync is running and may count on it" in browser.text


def test_hostile_names_are_shown_as_text(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    name = '<script>alert("x")</script>'
    with engine.begin() as db:
        db.execute(sa.update(schema.employee_holds).values(last_name=name, reason=name))
        account_id = accounts.get(db, "acme").id
        db.execute(
            sa.update(schema.employees).where(schema.employees.c.account_id == account_id).values(last_name=name)
        )
    browser = signed_in("acme-primary").open(PEOPLE)
    assert "&lt;script&gt;" in browser.text
    assert name not in browser.text
    assert name not in browser.press("chosen out", scope="found").text
