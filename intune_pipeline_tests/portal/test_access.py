"""What a provider's claims make of a person: OIDC providers as they are."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.vocabulary import Role
from intune_pipeline.inventory.accounts import Account
from intune_pipeline.inventory.sessions import SignedIn
from intune_pipeline.portal.access import (
    Admin,
    Asker,
    Organization,
    admitted,
    organization_of,
    person_of,
    signed_in_primary_admin,
    token_primary_admin,
)
from intune_pipeline.portal.errors import RefusedError
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


def test_an_admin_in_the_beta_of_a_known_organisation_is_admitted_and_nobody_else() -> None:
    good = person(roles="secondary_admin", permissions="intune:beta")
    admin = admitted(Asker(good, ACME))
    assert (admin.account, admin.is_primary, admin.session_id) == (ACME, False, "")
    assert Admin(person(roles="primary_admin"), ACME, "").is_primary
    for asker, title in (
        (Asker(person(permissions="intune:beta"), ACME), "Admins only"),
        (Asker(person(roles="primary_admin"), ACME), "Not part of the beta yet"),
        (Asker(good, None), "Unknown organisation"),
    ):
        with pytest.raises(RefusedError) as refused:
            admitted(asker)
        assert refused.value.title == title


@pytest.mark.parametrize("asked", [signed_in_primary_admin, token_primary_admin])
def test_a_secondary_admin_is_no_primary_admin(asked: Callable[[Admin], Coroutine[None, None, Admin]]) -> None:
    primary = Admin(person(roles="primary_admin"), ACME, "")
    assert asyncio.run(asked(primary)) is primary
    with pytest.raises(RefusedError, match="Only Primary Admins may do this"):
        asyncio.run(asked(Admin(person(roles="secondary_admin"), ACME, "")))


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
