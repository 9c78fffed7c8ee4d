"""What a provider's claims make of a person: OIDC providers as they are."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.vocabulary import Role, SecurityEvent
from intune_pipeline.inventory.accounts import Account
from intune_pipeline.inventory.sessions import Session, SignedIn
from intune_pipeline.portal.access import (
    Admin,
    Asker,
    Organization,
    admitted,
    live_session,
    organization_of,
    person_of,
    recent_token_primary_admin,
    recently_signed_in_primary_admin,
    signed_in_admin,
    signed_in_primary_admin,
    token_admin,
    token_primary_admin,
)
from intune_pipeline.portal.errors import (
    RecentSignInNeededError,
    RefusedError,
    SessionEndedError,
    SignInNeededError,
)
from intune_pipeline.portal.portal import PortalContext
from intune_pipeline.settings import PortalSettings

SETTINGS = PortalSettings(
    portal_url="https://portal.test",
    portal_session_secret="s" * 40,
    auth0_domain="sign-in.test",
    auth0_client_id="x",
    auth0_client_secret="x",
    auth0_audience="x",
)
ROLES = SETTINGS.auth0_roles_claim
ACME = Account(1, "acme", "Acme")
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)


def person(**claims: Any) -> SignedIn:
    """A person of these claims."""
    return person_of(
        {"sub": "someone", **{ROLES if name == "roles" else name: v for name, v in claims.items()}}, SETTINGS
    )


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (["primary_admin"], Role.PRIMARY_ADMIN),
        (["secondary_admin", "primary_admin"], Role.PRIMARY_ADMIN),
        ("secondary_admin", Role.SECONDARY_ADMIN),
        ("viewer secondary_admin", Role.SECONDARY_ADMIN),
        ("viewer,primary_admin", Role.PRIMARY_ADMIN),
        ("not_primary_admin", None),
        ("primary_administrator", None),
        (["viewer"], None),
        ([["primary_admin"]], None),
        ({"primary_admin": True}, None),
        ([1, None], None),
        (None, None),
    ],
)
def test_roles_are_a_list_or_a_string_of_words(roles: object, role: Role | None) -> None:
    assert person(roles=roles).role is role


@pytest.mark.parametrize(
    ("permissions", "beta"),
    [
        (["intune:beta"], True),
        ("read:x intune:beta", True),
        ("intune:beta", True),
        ("intune:beta2", False),
        ("xintune:beta", False),
        ([], False),
        (None, False),
        (True, False),
    ],
)
def test_permissions_are_a_list_or_a_string_of_words(permissions: object, beta: bool) -> None:
    assert person(permissions=permissions).beta is beta


@pytest.mark.parametrize(
    ("verified", "email"),
    [
        (True, "a@b.example"),
        ("true", "a@b.example"),
        (False, ""),
        ("false", ""),
        (None, ""),
        (1, ""),
        ([], ""),
        ({}, ""),
    ],
)
def test_only_a_verified_e_mail_names_a_person(verified: object, email: str) -> None:
    known = person(email="a@b.example", email_verified=verified)
    assert known.email == email
    admin = Admin(known, ACME, "1")
    assert admin.label == (email or "someone")


def test_a_person_is_called_as_the_provider_says() -> None:
    known = person(sub="auth0|petra", name="Petra Klein", email="p@b.example", email_verified=True)
    assert (known.subject, known.name, known.email) == ("auth0|petra", "Petra Klein", "p@b.example")
    assert person().name == ""


def test_long_and_odd_texts_are_cut_to_what_can_be_stored() -> None:
    known = person(name="x" * 5000, email="\x00a@b.example", email_verified=True)
    assert (len(known.name), known.email) == (200, "a@b.example")


@pytest.mark.parametrize(
    ("auth_time", "moment"),
    [
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (None, None),
        ("1700000000", None),
        (True, None),
        (1e300, None),
        (float("nan"), None),
    ],
)
def test_when_somebody_signed_in_is_a_number_or_unknown(auth_time: object, moment: datetime | None) -> None:
    assert person(auth_time=auth_time).authenticated_at == moment


@pytest.mark.parametrize(
    ("claims", "organization"),
    [
        ({"org_id": "org_1", "org_name": "acme"}, Organization("org_1", "acme")),
        ({"org_id": "acme"}, Organization("acme", "acme")),
        ({"org_name": "acme"}, Organization("", "acme")),
        ({}, Organization("", "")),
    ],
)
def test_the_organisation_is_its_id(claims: dict[str, str], organization: Organization) -> None:
    assert organization_of(claims, SETTINGS) == organization


GOOD = {"roles": "secondary_admin", "permissions": "intune:beta"}
SESSION = Session(7, 1, SignedIn("someone", "", "", None, beta=False, authenticated_at=None), NOW, NOW, None)


def test_an_admin_in_the_beta_of_a_known_organisation_is_admitted() -> None:
    admin = admitted(Asker(person(**GOOD), ACME))
    assert admin == Admin(person(**GOOD), ACME, "")
    assert not admin.is_primary
    assert admitted(Asker(person(**GOOD), ACME, SESSION)).session_id == "7"
    assert Admin(person(roles="primary_admin"), ACME, "").is_primary


@pytest.mark.parametrize(
    ("asker", "title", "sentence", "cause"),
    [
        (
            Asker(person(permissions="intune:beta"), ACME),
            "Admins only",
            "This page is for admins of your company's allwhere account. Ask a Primary Admin to give you a role.",
            "no role",
        ),
        (
            Asker(person(roles="primary_admin"), ACME),
            "Not part of the beta yet",
            (
                "Microsoft Intune in allwhere is in beta, and your user is not part of it yet. "
                "Write to your allwhere contact to join."
            ),
            "not in the beta",
        ),
        (
            Asker(person(**GOOD), None),
            "Unknown organisation",
            "allwhere has no account for the organisation you signed in to. Sign out and choose another one.",
            "unknown organisation",
        ),
    ],
)
def test_whoever_is_not_admitted_reads_why_and_what_to_do(asker: Asker, title: str, sentence: str, cause: str) -> None:
    with pytest.raises(RefusedError) as refused:
        admitted(asker)
    assert (refused.value.title, refused.value.sentence, refused.value.cause) == (title, sentence, cause)
    assert refused.value.event is SecurityEvent.ROLE_REFUSED


def request_of(asker: Asker | None) -> Request:
    """A request whose sender has been found."""
    request = Request({"type": "http", "headers": []})
    if asker is not None:
        request.state.asker = asker
    return request


ASKER = Asker(person(**GOOD), ACME, SESSION)


def test_a_page_needs_a_session_and_the_api_a_token() -> None:
    by_token = Asker(person(**GOOD), ACME)
    assert live_session(request_of(ASKER)) is ASKER
    assert asyncio.run(signed_in_admin(request_of(ASKER))) == admitted(ASKER)
    assert asyncio.run(token_admin(request_of(by_token), None)) == admitted(by_token)
    for asker in (None, by_token):
        with pytest.raises(SignInNeededError, match=r"^Sign in to see this page\.$"):
            live_session(request_of(asker))
    for asker in (None, ASKER):
        with pytest.raises(SignInNeededError, match=r"^Send an access token in the header Authorization: Bearer\.$"):
            asyncio.run(token_admin(request_of(asker), None))


@pytest.mark.parametrize(
    ("ended_at", "event", "cause"),
    [(NOW, SecurityEvent.SESSION_REFUSED, "ended by sign-out or operator"), (None, None, "")],
)
def test_an_ended_session_opens_nothing_and_only_one_that_somebody_ended_is_a_security_event(
    ended_at: datetime | None, event: SecurityEvent | None, cause: str
) -> None:
    asker = replace(ASKER, session=replace(SESSION, ended_at=ended_at), live=False)
    with pytest.raises(SessionEndedError) as refused:
        asyncio.run(signed_in_admin(request_of(asker)))
    assert (refused.value.event, refused.value.cause) == (event, cause)
    assert refused.value.sentence == "Your sign-in has ended, so nothing was changed. Sign in again."


@pytest.mark.parametrize("asked", [signed_in_primary_admin, token_primary_admin])
def test_a_secondary_admin_is_no_primary_admin(asked: Callable[[Admin], Coroutine[None, None, Admin]]) -> None:
    primary = Admin(person(roles="primary_admin"), ACME, "")
    assert asyncio.run(asked(primary)) is primary
    with pytest.raises(RefusedError) as refused:
        asyncio.run(asked(Admin(person(roles="secondary_admin"), ACME, "")))
    assert refused.value.sentence == "Only Primary Admins may do this. Ask one of your company's Primary Admins."
    assert refused.value.cause == "not a Primary Admin"


@pytest.mark.parametrize("asked", [recently_signed_in_primary_admin, recent_token_primary_admin])
@pytest.mark.parametrize(
    ("signed_in_at", "is_recent"),
    [(NOW, True), (NOW - timedelta(minutes=10), True), (NOW - timedelta(minutes=10, seconds=1), False), (None, False)],
)
def test_what_cannot_be_taken_back_needs_a_sign_in_of_the_last_ten_minutes(
    asked: Callable[[Admin, PortalContext], Coroutine[None, None, Admin]],
    signed_in_at: datetime | None,
    is_recent: bool,
) -> None:
    admin = Admin(replace(person(roles="primary_admin"), authenticated_at=signed_in_at), ACME, "")
    portal = cast("PortalContext", SimpleNamespace(clock=lambda: NOW))
    if is_recent:
        assert asyncio.run(asked(admin, portal)) is admin
        return
    with pytest.raises(RecentSignInNeededError) as refused:
        asyncio.run(asked(admin, portal))
    assert refused.value.sentence == (
        "This needs a sign-in younger than 10 minutes, so nothing was done yet. Sign in again."
    )


claims_of_any_kind = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    claims=st.fixed_dictionaries(
        dict.fromkeys(("roles", "permissions", "email", "email_verified", "name", "auth_time"), claims_of_any_kind)
    )
)
def test_no_claims_of_whatever_kind_break_the_sign_in(claims: dict[str, Any]) -> None:
    known = person(**claims)
    assert len(known.name) <= 200
    assert "\x00" not in known.name + known.email
