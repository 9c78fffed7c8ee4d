"""Counts agree with their nouns."""

import pytest

from intune_pipeline.domain.nouns import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 devices"), (1, "1 device"), (2, "2 devices")])
def test_one_is_one_and_everything_else_is_many(count: int, said: str) -> None:
    assert counted(count, "device") == said


def test_a_phrase_agrees_with_its_count() -> None:
    assert [counted(count, "entry is", "entries are") for count in (0, 1, 5)] == [
        "0 entries are",
        "1 entry is",
        "5 entries are",
    ]
