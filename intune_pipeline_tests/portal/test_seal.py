"""What is sealed is read by nobody else, whatever is missing: the key, the purpose or a byte."""

import pytest
from pydantic import SecretStr

from intune_pipeline.portal.seal import Seal

SECRET = SecretStr("s" * 40)
VALUE = {"nonce": "n-123", "flow": ["a", 1]}


def test_what_was_sealed_opens_again_and_tells_nothing_meanwhile() -> None:
    sealed = Seal(SECRET, "sign-in").close(VALUE)
    assert Seal(SECRET, "sign-in").open(sealed) == VALUE
    assert "n-123" not in sealed
    assert Seal(SECRET, "sign-in").close(VALUE) != sealed


@pytest.mark.parametrize("other", [Seal(SECRET, "kept form"), Seal(SecretStr("t" * 40), "sign-in"), Seal(SECRET, "")])
def test_another_purpose_or_another_secret_opens_nothing(other: Seal) -> None:
    assert other.open(Seal(SECRET, "sign-in").close(VALUE)) is None


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "é"])
def test_what_was_never_sealed_opens_nothing(sealed: str) -> None:
    assert Seal(SECRET, "sign-in").open(sealed) is None


def test_a_changed_byte_opens_nothing() -> None:
    seal = Seal(SECRET, "sign-in")
    sealed = seal.close(VALUE)
    changed = sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]
    assert seal.open(changed) is None
