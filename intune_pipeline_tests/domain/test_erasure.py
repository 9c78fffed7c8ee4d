"""An erased person is recognised by digests alone, and their devices are kept without them."""

from dataclasses import replace

import pytest

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.erasure import Erasure, digest, identifying, is_erased, without_erased
from intune_pipeline_tests.syncing import device

JANE, BO = "jane.doe@acme.example", "bo.ek@acme.example"
HEX = "0123456789abcdef" * 2


def erasure(*keys: str, salt: str = "pepper") -> Erasure:
    return Erasure(salt, frozenset(digest(salt, key) for key in keys))


def test_what_identifies_a_person_is_compared_without_case_spaces_and_the_prefix_of_android() -> None:
    assert identifying([" Jane.Doe@ACME.example ", None, "", "  ", "ID-1"]) == {JANE, "id-1"}
    assert identifying([f"{HEX}{JANE}".upper()]) == {JANE, HEX + JANE}
    assert identifying([HEX]) == {HEX}, "an id is no prefix"
    assert identifying([f"{HEX}@acme.example"]) == {f"{HEX}@acme.example"}


def test_a_digest_depends_on_salt_and_person_and_can_be_computed_anywhere() -> None:
    # printf 'pepper\njane.doe@acme.example' | sha256sum
    assert digest("pepper", JANE) == "bc28fda4ebe635c1257bf4c795216242bca6295fd40559452de47152485c39fe"
    assert len({digest("pepper", JANE), digest("salt", JANE), digest("pepper", BO)}) == 3


@pytest.mark.parametrize(
    ("values", "is_of"),
    [
        ([JANE], True),
        ([None, "", "JANE.DOE@acme.example"], True),
        ([f"{HEX}{JANE}"], True),
        (["other", JANE], True),
        ([BO], False),
        ([], False),
        ([None], False),
    ],
)
def test_one_of_a_persons_addresses_is_enough(values: list[str | None], is_of: bool) -> None:
    assert erasure(JANE, "id-of-jane").is_of(values) is is_of
    assert is_erased([erasure(BO.upper()), erasure(JANE, salt="other")], iter(values)) is is_of
    assert not is_erased([], values)


@pytest.mark.parametrize(
    "record",
    [
        {"emailAddress": JANE},
        {"userPrincipalName": JANE.upper()},
        {"userId": "ID-of-jane"},
    ],
)
def test_a_device_of_an_erased_person_stays_without_its_user_and_its_name(record: dict[str, str]) -> None:
    theirs = device("d1", user=BO, **record)
    others = device("d2", user="ann.lee@acme.example")
    blank = replace(
        theirs, device_name=None, user_id=None, user_email=None, user_principal_name=None, user_display_name=None
    )
    assert without_erased([theirs, others], [erasure("nobody"), erasure(JANE, "id-of-jane")]) == [blank, others]


def test_without_erasures_devices_are_as_they_are() -> None:
    devices: list[ManagedDevice] = [device("d1", user=JANE)]
    assert without_erased(iter(devices), iter(())) == devices
