"""Employees who look like one person, and field locks, in their places among the decisions."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import accounts, duplicates, kept_values, schema
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
DUPLICATES, LOCKS = f"{HOME}/decisions/duplicates", f"{HOME}/decisions/locks"
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


@pytest.fixture
def pair(acme: Customer, engine: sa.Engine) -> tuple[int, int]:
    """Robert Müller and Bob Mueller, who has an asset."""
    with engine.begin() as db:
        robert = employee(db, "Robert", "Müller", "robert.mueller@acme.example")
        bob = employee(db, "Bob", "Mueller", "bob@home.example")
        db.execute(
            sa.insert(schema.assets).values(
                account_id=accounts.get(db, "acme").id, serial_number="SN-BOB", status="allocated", assignee_id=bob
            )
        )
    return robert, bob


def employee(db: sa.Connection, first: str, last: str, email: str) -> int:
    account_id = accounts.get(db, "acme").id
    new = sa.insert(schema.employees).values(account_id=account_id, first_name=first, last_name=last)
    made = int(db.execute(new.returning(schema.employees.c.id)).scalar_one())
    db.execute(
        sa.insert(schema.employee_emails).values(employee_id=made, account_id=account_id, email=email, kind="work")
    )
    return made


def names(engine: sa.Engine) -> set[str]:
    with engine.connect() as db:
        return set(db.scalars(sa.select(schema.employees.c.last_name)))


def owner(engine: sa.Engine, serial: str) -> int | None:
    with engine.connect() as db:
        return db.scalar(sa.select(schema.assets.c.assignee_id).where(schema.assets.c.serial_number == serial))


def test_two_are_made_one_after_a_look_at_both_and_brought_back(
    signed_in: SignIn, pair: tuple[int, int], engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(DUPLICATES)
    assert "Robert Müller" in browser.text
    assert "Bob Mueller" in browser.text
    browser.follow("One person")
    assert browser.title == "Are they one person?"
    for said in ("bob@<wbr>home.example", "SN-BOB", "1 address and 1 asset of the other one move here"):
        assert said in browser.text
    browser.press("Make them one and keep Robert")
    assert "They are one employee now" in browser.text
    assert names(engine) == {"ACME", "Müller"}
    assert owner(engine, "SN-BOB") == pair[0]
    assert "No two employees look like one person." in browser.text
    browser.press("Undo")
    assert "The employee is back" in browser.text
    assert names(engine) == {"ACME", "Müller", "Mueller"}
    assert owner(engine, "SN-BOB") == pair[1]

    browser.follow("One person").press("Make them one and keep Bob")
    assert names(engine) == {"ACME", "Mueller"}
    browser.open(DUPLICATES).press("Bring back")
    assert names(engine) == {"ACME", "Müller", "Mueller"}


def test_two_people_are_not_shown_as_one_again_unless_that_is_taken_back(
    signed_in: SignIn, pair: tuple[int, int]
) -> None:
    browser = signed_in("acme-primary").open(DUPLICATES).press("Two people")
    assert "They stay two people" in browser.text
    assert "No two employees look like one person." in browser.text
    browser.open(DUPLICATES).press("Take back")
    assert browser.follow("One person").title == "Are they one person?"
    browser.press("They are two people")
    assert "They stay two people" in browser.text
    audit = browser.open(f"{HOME}/audit").text
    assert "Said that two employees are different people" in audit
    assert "Took back that two employees are different people" in audit


def test_pairs_are_searched_filtered_and_paged_and_a_change_is_seen_at_once(
    signed_in: SignIn, pair: tuple[int, int], engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(f"{DUPLICATES}?search=BOB@home")
    assert "1 pair<" in browser.text
    assert "No such pair is found" in browser.open(f"{DUPLICATES}?search=zoe").text
    with engine.begin() as db:
        for number in range(60):
            for kind in ("one", "two"):
                employee(db, "Ann", f"Kowal{chr(97 + number % 26) * (3 + number // 26)}", f"a{number}@{kind}.example")
    text = browser.open(DUPLICATES).text
    assert "Page 1 of " in text
    with engine.begin() as db:
        db.execute(sa.text("delete from employees where last_name like 'Kowal%'"))
    assert "1 pair<" in browser.open(DUPLICATES).text


def test_somebody_who_was_quicker_is_said(signed_in: SignIn, pair: tuple[int, int], engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(DUPLICATES).follow("One person")
    with engine.begin() as db:
        duplicates.merge(db, "acme", *pair, actor="bo")
    browser.press("Make them one and keep Robert")
    assert "Somebody else decided about these two" in browser.text


def test_a_lock_is_listed_with_what_intune_says_and_lifted(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    with engine.begin() as db:
        kept_values.lock(db, "acme", acme.serial_number, "model", actor="bo@acme.example")
        kept_values.lock(db, "acme", acme.serial_number, "activation_lock_bypass_code", actor="bo@acme.example")
        db.execute(sa.text("update kept_values set intune_value = 'MacBook Air' where field = 'model'"))
    browser = signed_in("acme-secondary").open(LOCKS)
    for said in ("ACME-SN1", "ACME MacBook Pro", "MacBook Air", "bo@acme.example", "hidden", "2 values"):
        assert said in browser.text
    assert not browser.has_button("Lift")
    browser = signed_in("acme-primary").open(f"{LOCKS}?search=model")
    assert "1 value<" in browser.text
    browser.press("Lift: Model in Intune of ACME-SN1")
    assert "From the next sync on, Intune decides about Model in Intune of" in browser.text
    assert "1 value<" in browser.open(LOCKS).text
    assert "Nothing is found" in browser.open(f"{LOCKS}?search=imei").text


def test_what_an_undo_keeps_back_is_listed_too(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    with engine.begin() as db:
        db.execute(
            sa.insert(schema.kept_values).values(
                account_id=accounts.get(db, "acme").id,
                serial_key="GONE1",
                field="asset",
                kind="undone",
                set_by="bo",
                sync_run_id=acme.run_id,
            )
        )
    browser = signed_in("acme-primary").open(LOCKS)
    assert "The whole asset" in browser.text
    assert f"{HOME}/runs/{acme.run_id}" in browser.text
    browser.press("Lift")
    assert "Syncs write every field they know." in browser.text


def test_a_secondary_admin_changes_nothing(signed_in: SignIn, pair: tuple[int, int]) -> None:
    browser = signed_in("acme-secondary").open(DUPLICATES)
    assert not browser.has_button("Two people")
    assert "One person" not in browser.text
    sent = {"form_token": browser.form_token(), "one": str(pair[0]), "other": str(pair[1]), "step": "different"}
    assert browser.portal.post(DUPLICATES, data=sent).status_code == 403
    assert browser.open(f"{DUPLICATES}/check?one={pair[0]}&other={pair[1]}").answer.status_code == 403
