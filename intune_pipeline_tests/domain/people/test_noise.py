"""What directories write around a name is taken away, and what could be the name is left."""

import pytest

from intune_pipeline.domain.people.addresses import local_part
from intune_pipeline.domain.people.noise import cleaned, is_suffix, is_title, readable
from intune_pipeline_tests.domain.people.lists import HERE


def test_every_name_of_the_list_is_freed_of_what_surrounds_it() -> None:
    lines = [line for line in (HERE / "noise.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = [[cell.strip() for cell in f"{line} ".rsplit(" |", 3)] for line in lines]
    found = [cleaned(readable(shown), local_part(f"{local or 'e10482'}@acme.example")) for shown, local, *_ in rows]
    read = [[" / ".join(one.parts), " / ".join(one.notes)] for one in found]
    assert [[*row[:2], *said] for row, said in zip(rows, read, strict=True)] == rows
    assert len(rows) > 100


@pytest.mark.parametrize(
    ("text", "parts", "notes"),
    [
        ("(Jane Doe)", ("Jane Doe",), ("Jane Doe",)),
        ("(X Jane X)", ("X Jane X",), ("X Jane X",)),
        ("XX (Jane) XX", ("XX XX",), ("Jane",)),
        ("()", (), ()),
    ],
)
def test_a_name_in_brackets_is_the_name_where_nothing_else_is(
    text: str, parts: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    assert (cleaned(text, local_part("e10482@x")).parts, cleaned(text, local_part("e10482@x")).notes) == (parts, notes)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("  Jane \t Doe ", "Jane Doe"),
        ("Jane&nbsp;D&ouml;e", "Jane Döe"),
        ("Jane & John", "Jane & John"),
        ("Zoe\u0308", "Zoë"),
        ("Jane\u200b\u00a0Doe\u2003\U0001f600", "Jane Doe"),
        ("Ja\u200dne", "Jane"),
        # A joiner belongs to the words of scripts that join letters.
        ("क\u200dष", "क\u200dष"),
        ("क\u200dष Jane", "क\u200dष Jane"),
        ("\u200b", ""),
    ],
)
def test_a_display_name_becomes_readable(shown: str, text: str) -> None:
    assert readable(shown) == text


def test_forms_of_address_are_titles_some_only_with_a_stop() -> None:
    assert all(map(is_title, ("Dr", "DR.", "Dr.,", "MX", "mx.", "h.", "Sr.", "Señora", "dott.ssa", "Dott.ssa.")))
    assert not any(map(is_title, ("Jane", "h", "H.,", "sr", "")))


def test_degrees_and_generations_are_suffixes_however_they_are_written() -> None:
    assert all(map(is_suffix, ("Jr", "jr.", "Jr,", "Jr.,", "III", "Ph.D.", "PhD,", "M.A.", "P.E.", "Senior")))
    assert not any(map(is_suffix, ("Jane", "X.", "J.", "")))
