"""What a model string states is read, what it does not state is never guessed, sizes are those on the box."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.model_facts import MARKETED_STORAGE_GB, facts_from_model, memory_gb, storage_gb


@pytest.mark.parametrize(
    ("model", "name", "display_size", "release_year"),
    [
        ("MacBook Pro (14-inch, 2021)", "MacBook Pro", "14", 2021),
        ("MacBook Pro (14-inch, Nov 2023)", "MacBook Pro", "14", 2023),
        ("MacBook Pro (13-inch, 2016, Two Thunderbolt 3 ports)", "MacBook Pro", "13", 2016),
        ("iMac (Retina 4K, 21.5-inch, Late 2015)", "iMac", "21.5", 2015),
        ("MacBook Air (M1, 2020)", "MacBook Air", None, 2020),
        ("iPad Pro (12.9-inch) (5th generation)", "iPad Pro (5th generation)", "12.9", None),
        ("HP EliteBook 840 14 inch G9 Notebook PC", "HP EliteBook 840 14 inch G9 Notebook PC", "14", None),
        ("HP EliteOne 800 G5 23.8-in All-in-One", "HP EliteOne 800 G5 23.8-in All-in-One", "23.8", None),
        ("  Surface   Pro 9 ", "Surface Pro 9", None, None),
    ],
)
def test_a_model_that_states_its_facts(
    model: str, name: str, display_size: str | None, release_year: int | None
) -> None:
    facts = facts_from_model(model)
    assert (facts.model, facts.display_size, facts.release_year) == (name, display_size, release_year)


@pytest.mark.parametrize(
    "model",
    ["Latitude 7440", "XPS 13 9310", "XPS 13 7390 2-in-1", "Inspiron 2 in 1", "Dell Pro 14 PC14250", "Vostro 2020"],
)
def test_a_model_that_states_nothing_is_not_guessed(model: str) -> None:
    facts = facts_from_model(model)
    assert (facts.model, facts.display_size, facts.release_year) == (model, None, None)


def test_a_model_that_contradicts_itself_states_nothing() -> None:
    assert facts_from_model("Tablet 10 inch or 11 inch").display_size is None
    assert facts_from_model("Book (2019) (2020)").release_year is None


def test_a_blank_model_is_none_and_a_description_alone_is_kept() -> None:
    assert facts_from_model("  ").model is None
    assert facts_from_model("(14-inch, 2021)").model == "(14-inch, 2021)"


@given(st.text())
def test_every_string_is_read(model: str) -> None:
    facts = facts_from_model(model)
    assert facts.model is None or facts.model.strip()
    assert facts.display_size is None or 0 <= float(facts.display_size) < 100


@pytest.mark.parametrize(
    ("size_in_bytes", "gigabytes"),
    [
        (68_719_476_736, 64),
        (999_653_638_144, 1000),
        (511_000_000_000, 512),
        (2**40, 1000),
        (127_989_493_760, 128),
        (750_156_374_016, 750),
        (300_000_000_000, 300),
        (0, None),
        (-1, None),
        (1, None),
        (None, None),
    ],
)
def test_storage_is_the_size_on_the_box(size_in_bytes: int | None, gigabytes: int | None) -> None:
    assert storage_gb(size_in_bytes) == gigabytes


@given(st.sampled_from(MARKETED_STORAGE_GB), st.floats(0.905, 1.095))
def test_storage_within_ten_percent_of_a_marketed_size_is_that_size(marketed: int, factor: float) -> None:
    assert storage_gb(round(marketed * factor * 10**9)) == marketed


@given(st.integers(1, 4096))
def test_memory_is_whole_gib_whatever_firmware_keeps_for_itself(gib: int) -> None:
    assert memory_gb(gib * 2**30) == gib
    assert memory_gb(gib * 2**30 - 2**28) == gib


@pytest.mark.parametrize("size_in_bytes", [None, 0, -5, 1])
def test_memory_that_graph_does_not_state_is_none(size_in_bytes: int | None) -> None:
    assert memory_gb(size_in_bytes) is None
