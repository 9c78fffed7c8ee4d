"""Unknown models: asked about, answered in plain words, previewed, kept as previewed, taken back."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import account_rules, schema
from intune_pipeline.portal.teach_pages import exactly, subject_of
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

MODELS = "/integrations/intune/models"
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    """One device of a model that no rule knows, which the last sync listed with two others."""
    customer = furnish(engine, "acme", "ACME")
    with engine.begin() as db:
        db.execute(
            sa.update(schema.device_outcomes)
            .where(schema.device_outcomes.c.intune_device_id == "ACME-5")
            .values(operating_system="Windows", manufacturer="ACME Inc.", model="ACME Model X", device_type="unknown")
        )
    return customer


def rules(engine: sa.Engine) -> list[tuple[str, str, str]]:
    with engine.connect() as db:
        return [(one.maker_pattern, one.model_pattern, one.device_type) for one in account_rules.every(db, "acme")]


def question(signed_in: SignIn) -> Browser:
    return signed_in("acme-primary").open(MODELS).follow("Say what it is")


def test_the_question_is_asked_in_plain_words_and_nothing_is_chosen_beforehand(
    signed_in: SignIn, acme: Customer
) -> None:
    browser = question(signed_in)
    assert browser.title == "What is ACME Inc. ACME Model X?"
    for choice in ("Laptop", "Tablet", "Phone", "Leave out", "Not an employee device"):
        assert choice in browser.text
    assert not re.search(r"type=.radio.[^>]*\schecked", browser.text)
    assert browser.text.index("<details>") < browser.text.index('name="model_pattern"'), "patterns are under Advanced"
    browser.press("Show what would change")
    assert browser.answer.status_code == 422
    assert "Choose what it is." in browser.text


@pytest.mark.parametrize(
    ("device_type", "sentence", "follows"),
    [
        ("laptop", "ACME Inc. ACME Model X is a laptop", "1 device that is left out now is synced"),
        ("mobile", "ACME Inc. ACME Model X is a phone or another mobile device", "1 device that is left out now"),
        ("unknown", "ACME Inc. ACME Model X is not an employee&#39;s device", "1 known device stays left out"),
    ],
)
def test_an_answer_is_kept_after_a_look_at_what_it_changes(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, device_type: str, sentence: str, follows: str
) -> None:
    before = rules(engine)
    browser = question(signed_in).press("Show what would change", device_type=device_type, note="Seen it.")
    assert f"{sentence}?" in browser.text
    assert follows in browser.text
    assert rules(engine) == before
    browser.press("Save:")
    assert browser.path == MODELS
    assert f"Saved: {sentence}" in browser.text
    assert rules(engine)[-1] == ("^ACME\\ Inc\\.$", "^ACME\\ Model\\ X$", device_type)
    assert "Say what it is" not in browser.text, "what was answered is asked no more"
    browser.press("Take back: ACME Inc. ACME Model X")
    assert rules(engine) == before
    assert "Say what it is" in browser.text


def test_what_is_synced_now_and_would_be_left_out_is_said_loudly(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    with engine.begin() as db:
        db.execute(sa.update(schema.device_outcomes).values(operating_system="macOS", model="MacBookPro18,1"))
    browser = signed_in("acme-primary").open(f"{MODELS}/teach")
    browser.press("Show what would change", device_type="unknown", model_pattern="MacBook")
    assert "5 devices that are synced now are left out from the next sync on." in browser.text
    assert "Every model of this pattern" in browser.text


def test_only_what_was_previewed_can_be_added(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, api: Callable[[str], TestClient]
) -> None:
    before = rules(engine)
    browser = question(signed_in).press("Show what would change", device_type="tablet")
    found = re.search(r'name="sealed" value="([^"]+)"', browser.text)
    assert found
    token, sealed = browser.form_token(), found.group(1)
    post = browser.portal.post
    rule = {"form_token": token, "model_pattern": ".", "device_type": "laptop"}
    assert post(f"{MODELS}/rules", data=rule).status_code == 422
    forged = sealed[:-8] + ("A" if sealed[-8] != "A" else "B") + sealed[-7:]
    assert post(f"{MODELS}/rules", data=rule | {"sealed": forged}).status_code == 409
    assert rules(engine) == before
    assert post(f"{MODELS}/rules", data=rule | {"sealed": sealed}).status_code == 303
    assert rules(engine)[-1] == ("^ACME\\ Inc\\.$", "^ACME\\ Model\\ X$", "tablet")
    furnish(engine, "globex", "GLOBEX")
    other = signed_in("globex-primary").open(MODELS)
    answer = other.portal.post(f"{MODELS}/rules", data={"form_token": other.form_token(), "sealed": sealed})
    assert answer.status_code == 409, "another account's preview is none"


def test_a_bad_pattern_is_explained_where_it_stands_and_what_was_typed_stays(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{MODELS}/teach")
    browser.press("Show what would change", model_pattern="(", device_type="tablet", note="Why not")
    assert browser.answer.status_code == 422
    for kept in ('value="("', 'value="Why not"', 'value="tablet" required checked', 'role="alert"', "<details open>"):
        assert kept in browser.text


def test_kinds_that_are_never_an_employees_device_are_not_asked_about(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, api: Callable[[str], TestClient]
) -> None:
    kinds = [
        ("Windows Server 2022", "Dell Inc.", "PowerEdge R740"),
        ("Linux", "Raspberry", "Pi 4"),
        ("Windows", "Microsoft Corporation", "Surface Hub 2S"),
    ]
    with engine.begin() as db:
        for system, maker, model in kinds:
            db.execute(
                sa.insert(schema.unknown_models).values(
                    sync_run_id=acme.run_id,
                    connection_id=acme.connection_id,
                    operating_system=system,
                    manufacturer=maker,
                    model=model,
                    devices=1,
                )
            )
    text = signed_in("acme-primary").open(MODELS).text
    for _, _, model in kinds:
        assert model not in text
    assert [one["model"] for one in api("acme-primary").get("/api/v1/unknown-models").json()] == ["ACME Model X"]


def test_the_device_links_to_the_question_and_says_why_it_has_its_type(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open("/integrations/intune/device?serial_number=ACME-SN1")
    assert "It is a laptop: A MacBook is a laptop." in browser.text
    assert "Rule that decided" not in browser.text
    with engine.begin() as db:
        db.execute(
            sa.update(schema.device_outcomes)
            .where(schema.device_outcomes.c.intune_device_id == "ACME-5")
            .values(outcome="skipped", reason="unknown_type", rule="none", rule_reason="no rule knows")
        )
    browser.open("/integrations/intune/device?serial_number=ACME-SN5").follow("Say what it is")
    assert browser.title == "What is ACME Inc. ACME Model X?"


def test_an_answer_about_one_model_is_shown_by_its_name() -> None:
    def rule(maker: str, model: str) -> account_rules.Rule:
        return account_rules.Rule(1, 1, maker, model, "laptop", "", "x", None)  # type: ignore[arg-type]

    assert subject_of(rule(exactly("HP"), exactly("EliteBook 840 (G5)"))) == "HP EliteBook 840 (G5)"
    for maker, model in (("", "MacBook"), ("HP|Dell", exactly("X")), ("", "^a.b$"), ("", "")):
        assert subject_of(rule(maker, model)) is None


def test_a_secondary_admin_sees_answers_and_gives_none(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary").open(MODELS)
    assert "Say what it is" not in browser.text
    assert (
        "Your company&#39;s Primary Admins say" in browser.text or "Primary Admins say what a model is" in browser.text
    )
    assert browser.open(f"{MODELS}/teach").answer.status_code == 403
