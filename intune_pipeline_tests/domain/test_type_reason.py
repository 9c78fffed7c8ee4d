"""One sentence says why a device has its type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.catalogue import catalogues
from intune_pipeline.domain.classification import AccountRule, Classifier
from intune_pipeline.domain.type_reason import type_sentence
from intune_pipeline.domain.vocabulary import DeviceType


@pytest.mark.parametrize(
    ("system", "maker", "model", "sentence"),
    [
        ("iOS", "Apple", "iPhone 15", "It is a phone or another mobile device: iPhones and iPads are mobile devices."),
        ("Windows", "Nobody", "Nothing 9", "Its type is unknown: nobody has said yet what this maker's model is."),
        ("Linux", "", "", "It is not an employee's device: neither Windows, macOS, iOS, iPadOS nor Android."),
    ],
)
def test_the_sentence_of_the_catalogue(system: str, maker: str, model: str, sentence: str) -> None:
    found = Classifier().classify(system, maker, model)
    assert type_sentence(found.device_type, found.rule, found.reason) == sentence


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        ("", "It is not an employee's device, as your company said."),
        ("Hangs in the lobby.", "It is not an employee's device, as your company said: Hangs in the lobby."),
        ("Hangs in the lobby", "It is not an employee's device, as your company said: Hangs in the lobby."),
    ],
)
def test_the_sentence_of_an_accounts_own_answer(note: str, sentence: str) -> None:
    rule = AccountRule("7", "", "hub", DeviceType.UNKNOWN, note)
    found = Classifier([rule]).classify("Windows", "Microsoft", "Surface Hub 2S")
    assert type_sentence(found.device_type, found.rule, found.reason) == sentence


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("made by MAX.", "It is a laptop: made by MAX."),
        (" .5 inches thick ", "It is a laptop: .5 inches thick."),
        (" ", "It is a laptop."),
        (None, "It is a laptop."),
    ],
)
def test_a_reason_ends_the_sentence_once_and_none_leaves_it_short(reason: str | None, sentence: str) -> None:
    assert type_sentence(DeviceType.LAPTOP, "dell:latitude", reason) == sentence
    assert type_sentence(DeviceType.LAPTOP, "account:7", None) == "It is a laptop, as your company said."
    assert type_sentence(None, "dell:latitude", reason) == ""
    assert type_sentence(DeviceType.LAPTOP, None, reason) == ""


def test_every_rule_of_the_catalogue_makes_one_sentence_without_its_id() -> None:
    answers = {rule.answer for catalogue in catalogues() for rule in catalogue.rules}
    assert len(answers) > 100
    for answer in answers:
        sentence = type_sentence(answer.device_type, answer.rule, answer.reason)
        assert sentence.startswith("It is ")
        assert sentence.endswith(".")
        assert not sentence.endswith("..")
        assert answer.rule not in sentence


@given(st.sampled_from(["", None, *DeviceType]), st.text(), st.text())
def test_whatever_is_stored_makes_a_sentence_or_nothing(device_type: str | None, rule: str, reason: str) -> None:
    sentence = type_sentence(device_type, rule, reason)
    assert sentence == "" or sentence.endswith(".")
