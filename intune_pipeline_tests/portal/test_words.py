"""What people read, where it does not need a page."""

import pytest
from pydantic import SecretStr

from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import SkipReason
from intune_pipeline.microsoft.causes import Audience, Cause
from intune_pipeline.portal import outcomes, words
from intune_pipeline.portal.rendering import number, when
from intune_pipeline.portal.seal import Seal


def test_devices_of_no_known_type_ask_nobody_about_what_is_no_employees_device() -> None:
    remedy = SKIPPED[SkipReason.UNKNOWN_TYPE].remedy
    assert "Models that no rule knows wait under Unknown models" in remedy
    assert remedy.endswith("Meeting-room screens, servers and the like are no employee devices and need nothing.")


def test_every_skip_reason_has_a_name_and_a_remedy() -> None:
    assert set(SKIPPED) == set(SkipReason)
    assert all(known.name and known.remedy.endswith(".") for known in SKIPPED.values())


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause.audience is Audience.OPERATOR])
def test_customers_are_not_told_what_only_an_operator_can_do(cause: Cause) -> None:
    if cause is not Cause.NOT_FOUND:
        told = words.trouble(cause.value, cause.sentence)
        assert "operator" not in told.lower()
        assert "request id" not in told
        assert "operator" not in " ".join(outcomes.of_cause(cause).sentences).lower()


def test_what_a_customer_can_do_is_told_as_it_is() -> None:
    assert words.trouble("no_intune_licence", "Check the licence.") == "Check the licence."
    assert words.trouble(None, "The run was stopped.") == "The run was stopped."


def test_counts_read_well() -> None:
    assert words.counted(1, "device") == "1 device"
    assert words.counted(12345, "device") == "12\u202f345 devices"
    assert number(1000) == "1\u202f000"
    assert when(None) == "never"


def test_what_is_sealed_opens_with_the_same_key_and_purpose_only() -> None:
    seal = Seal(SecretStr("s" * 40), "sign-in")
    sealed = seal.close({"nonce": "secret"})
    assert "secret" not in sealed
    assert seal.open(sealed) == {"nonce": "secret"}
    assert Seal(SecretStr("t" * 40), "sign-in").open(sealed) is None
    assert Seal(SecretStr("s" * 40), "other").open(sealed) is None
    assert seal.open("") is None
