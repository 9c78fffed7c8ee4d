"""What is wrong with a field is said in our words; and every field of a page says how much it takes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from intune_pipeline.portal import field_errors, rendering
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
SignIn = Callable[[str], Browser]
TEMPLATES = Path(rendering.__file__).parent / "templates"
PYDANTIC = re.compile(
    r"Input should|String should|Field required|valid (?:string|integer)|pattern '|loc|ctx", re.IGNORECASE
)


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (f"{HOME}/devices?search={'x' * 501}", "Search may have 500 characters at most."),
        (f"{HOME}/devices?page=0", "Page must be 1 or more."),
        (f"{HOME}/devices?page=many", "Page must be a whole number."),
        (
            f"{HOME}/devices?search=%00",
            "Search begins or ends with a space, or holds a character that cannot be stored.",
        ),
        (f"{HOME}/audit?before=-1", "Before must be 1 or more."),
    ],
)
def test_a_page_says_in_our_words_what_is_wrong(signed_in: SignIn, acme: Customer, address: str, told: str) -> None:
    browser = signed_in("acme-primary").open(address)
    assert (browser.answer.status_code, browser.title) == (422, "Check what you entered")
    assert told in browser.text
    assert not PYDANTIC.search(re.sub(r"<[^>]+>", "", browser.text))


def test_the_api_says_the_same(api: Callable[[str], TestClient], acme: Customer) -> None:
    client = api("acme-primary")
    told = client.post("/api/v1/holds/employees", json={"hold_ids": [], "decision": "burn", "more": 1}).json()["detail"]
    assert "Hold ids must name one at least." in told
    assert "Decision must be one of create, link or skip." in told
    assert "More is not asked for." in told
    assert "Since must be a day like 2026-11-27." in client.get("/api/v1/audit?since=soon").json()["detail"]


@given(
    st.sampled_from(["string_too_long", "missing", "some_new_check", "enum"]),
    st.lists(st.text(max_size=5) | st.integers(), max_size=3),
    st.dictionaries(st.sampled_from(["max_length", "expected", "ge"]), st.text(max_size=5)),
)
def test_every_problem_is_a_sentence(kind: str, where: list[str | int], ctx: dict[str, str]) -> None:
    told = field_errors.sentence({"type": kind, "loc": ("body", *where), "ctx": ctx, "msg": "Input should"})
    assert told.endswith(".")
    assert "Input should" not in told


def test_every_text_field_of_a_page_says_how_much_it_takes() -> None:
    fields = [
        (template.name, tag)
        for template in TEMPLATES.glob("*.html")
        for tag in re.findall(r"<(?:input|textarea)\b[^>]*>", template.read_text())
        if 'type="text"' in tag or 'type="search"' in tag or tag.startswith("<textarea")
    ]
    assert fields
    assert [field for field in fields if "maxlength" not in field[1] and "readonly" not in field[1]] == []
