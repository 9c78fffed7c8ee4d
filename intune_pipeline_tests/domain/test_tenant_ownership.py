"""Who may link a tenant: one of its own people with a role that can consent, and nobody else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.tenant_ownership import (
    CAN_CONSENT,
    PERSONAL_TENANT_ID,
    ROLE_IDS,
    directory_roles,
    ownership_problem,
)
from intune_pipeline.domain.vocabulary import DirectoryRole, OwnershipProblem

TENANT = "0f2c1e5a-1234-5678-9abc-def012345678"
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
ADMINISTRATOR = {
    "tid": TENANT,
    "iss": ISSUER,
    "preferred_username": "admin@acme.example",
    "wids": [ROLE_IDS[DirectoryRole.GLOBAL_ADMINISTRATOR], "b79fbf4d-3ef9-4689-8143-76b194e85509"],
}


def problem(**changed: Any) -> OwnershipProblem | None:
    return ownership_problem(ADMINISTRATOR | changed)


@pytest.mark.parametrize("role", DirectoryRole)
def test_only_roles_that_can_consent_suffice_unless_told_otherwise(role: DirectoryRole) -> None:
    claims = ADMINISTRATOR | {"wids": [ROLE_IDS[role].upper()]}
    assert directory_roles(claims) == {role}
    assert ownership_problem(claims) is (None if role in CAN_CONSENT else OwnershipProblem.NO_ROLE)
    assert ownership_problem(claims, frozenset(DirectoryRole)) is None


@given(st.lists(st.uuids().map(str)))
def test_other_roles_are_no_role(wids: list[str]) -> None:
    others = [one for one in wids if one not in ROLE_IDS.values()]
    assert problem(wids=others) is OwnershipProblem.NO_ROLE


@pytest.mark.parametrize("wids", [None, "", ROLE_IDS[DirectoryRole.GLOBAL_ADMINISTRATOR], {}, 1])
def test_without_the_claim_nothing_is_known(wids: object) -> None:
    assert problem(wids=wids) is OwnershipProblem.ROLES_NOT_TOLD
    assert ownership_problem({name: value for name, value in ADMINISTRATOR.items() if name != "wids"}) is (
        OwnershipProblem.ROLES_NOT_TOLD
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"idp": "https://sts.windows.net/1f2c1e5a-1234-5678-9abc-def012345678/"},
        {"idp": "https://login.microsoftonline.com/1f2c1e5a-1234-5678-9abc-def012345678/v2.0"},
        {"idp": "google.com"},
        {"idp": "mail"},
        {"acct": 1},
        {"acct": "1"},
        {"upn": "gus_partner.example#EXT#@acme.example"},
        {"preferred_username": "gus_partner.example#ext#@acme.example"},
        {"unique_name": "live.com#gus_partner.example#EXT#@acme.example"},
    ],
)
def test_a_guest_with_any_role_is_refused(claims: dict[str, Any]) -> None:
    assert problem(**claims) is OwnershipProblem.GUEST


@pytest.mark.parametrize(
    "claims",
    [
        {"idp": ISSUER},
        {"idp": "https://Issuer.example/", "iss": "https://issuer.Example/"},
        {"idp": f"https://sts.windows.net/{TENANT}/"},
        {"idp": ""},
        {"acct": 0},
    ],
)
def test_a_member_is_no_guest(claims: dict[str, Any]) -> None:
    assert problem(**claims) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": PERSONAL_TENANT_ID},
        {"tid": PERSONAL_TENANT_ID.upper()},
        {"idp": "live.com"},
        {"idp": f"https://sts.windows.net/{PERSONAL_TENANT_ID}/"},
    ],
)
def test_a_personal_account_is_refused_whatever_role_it_was_given(claims: dict[str, Any]) -> None:
    assert problem(**claims) is OwnershipProblem.PERSONAL_ACCOUNT
