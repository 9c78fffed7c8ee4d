"""The text in which patterns are searched: one line, lower case, of bounded length, whatever a device calls itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.patterns import TEXT_LENGTH, compiled, tidy, without_underscores


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("  Latitude \t 5540\n", "latitude 5540"),
        ("Book\ud800 14", "book? 14"),
        ("X" * 300, "x" * 256),
        ("x" * 255 + " y", "x" * 255),
        ("", ""),
    ],
)
def test_a_text_is_tidied(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


@given(st.text(max_size=TEXT_LENGTH // 2))
def test_tidied_text_stays_as_it_is(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


def test_underscores_are_spaces_and_case_does_not_matter() -> None:
    assert without_underscores("esprimo_d556_2") == "esprimo d556 2"
    assert compiled("LATITUDE").search("latitude 5540")
    assert compiled("latitude").search("LATITUDE 5540")
