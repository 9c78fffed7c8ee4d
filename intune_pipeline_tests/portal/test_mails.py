"""Choosing e-mails on the Settings page, and ending them by the link in each."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import schema
from intune_pipeline_tests.portal.browser import PORTAL, Browser

SETTINGS = "/integrations/intune/settings"
SignIn = Callable[[str], Browser]


def subscriptions(engine: sa.Engine) -> list[tuple[str, str]]:
    table = schema.mail_subscriptions
    with engine.connect() as db:
        return [tuple(row) for row in db.execute(sa.select(table.c.email, table.c.digest).order_by(table.c.id))]


def token(engine: sa.Engine) -> str:
    with engine.connect() as db:
        return str(db.scalar(sa.select(schema.mail_subscriptions.c.unsubscribe_token)))


@pytest.mark.parametrize("who", ["primary", "secondary"])
def test_an_admin_chooses_for_themselves_and_it_is_off_at_first(
    signed_in: SignIn, engine: sa.Engine, connected: Callable[..., int], who: str
) -> None:
    connected("acme")
    browser = signed_in(f"acme-{who}").open(SETTINGS)
    assert '<option value="off" selected>' in browser.text
    browser.press("Save", digest="weekly")
    assert subscriptions(engine) == [(f"{who}@acme.example", "weekly")]
    assert '<option value="weekly" selected>' in browser.open(SETTINGS).text
    browser.press("Save", digest="daily")
    assert subscriptions(engine) == [(f"{who}@acme.example", "daily")]
    browser.open(SETTINGS).press("Save", digest="off")
    assert subscriptions(engine) == []


def test_looking_at_the_link_ends_nothing_and_the_button_does_without_a_sign_in(
    signed_in: SignIn, app: FastAPI, engine: sa.Engine, connected: Callable[..., int]
) -> None:
    connected("acme")
    signed_in("acme-primary").open(SETTINGS).press("Save", digest="daily")
    stranger = TestClient(app, base_url=PORTAL)
    address = f"/unsubscribe/{token(engine)}"
    assert stranger.get(address).status_code == 200
    assert len(subscriptions(engine)) == 1
    answer = stranger.post(address, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert "No more e-mails" in answer.text
    assert subscriptions(engine) == []
    assert stranger.post(address).status_code == 200


def test_another_link_ends_nobodys_mails(
    signed_in: SignIn, app: FastAPI, engine: sa.Engine, connected: Callable[..., int]
) -> None:
    connected("acme")
    signed_in("acme-primary").open(SETTINGS).press("Save", digest="daily")
    TestClient(app, base_url=PORTAL).post(f"/unsubscribe/{token(engine)[:-1]}")
    assert len(subscriptions(engine)) == 1
