"""Of a first and a last name companies make addresses in many forms; each is recognised, the plain ones without doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.people.addresses import LocalPart, local_part, matches
from intune_pipeline_tests.domain.people.lists import HERE, labelled


def made(local: str, first: str, last: str) -> str:
    """Every form in which a name makes an address, with its doubt."""
    found = matches(local_part(f"{local}@acme.example"), first.split(), last.split())
    return ", ".join(f"{match.form} {round(match.doubt, 3):g}" for match in found)


def test_every_form_of_the_list_is_recognised_with_its_doubt() -> None:
    lines = [line for line in (HERE / "addresses.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert [[*row[:3], made(*row[:3])] for row in rows] == rows
    assert len(rows) > 100


@pytest.mark.parametrize(
    ("email", "part"),
    [
        ("Jane.Doe@acme.example", LocalPart(("jane", "do"), ".", False, ("jane", "doe"))),
        ("jane_doe+phone@acme.example", LocalPart(("jane", "do"), "_", False, ("jane", "doe"))),
        ("jane-doe@acme.example", LocalPart(("jane", "do"), "-", False, ("jane", "doe"))),
        # A dot separates before an underscore, and an underscore before a hyphen, which then belongs to a name.
        ("anna-lena.berg_x@acme.example", LocalPart(("annalena", "bergx"), ".", False, ("anna-lena", "berg_x"))),
        ("anna-lena_berg@acme.example", LocalPart(("annalena", "berg"), "_", False, ("anna-lena", "berg"))),
        ("jürgen.müller2@acme.example", LocalPart(("jurgen", "muller"), ".", False, ("jürgen", "müller"))),
        ("juergen.mueller@acme.example", LocalPart(("jurgen", "muller"), ".", False, ("juergen", "mueller"))),
        ("jane-2.doe@acme.example", LocalPart(("jane", "do"), ".", False, ("jane", "doe"))),
        ("jane@acme.example", LocalPart(("jane",), "", False, ("jane",))),
        ("jane.7@acme.example", LocalPart(("jane",), "", False, ("jane",))),
        ("ext.jane.doe@acme.example", LocalPart(("jane", "do"), ".", False, ("jane", "doe"))),
        ("v-jane.doe@acme.example", LocalPart(("jane", "do"), ".", False, ("jane", "doe"))),
        ("jane.doe.ext@acme.example", LocalPart(("jane", "do"), ".", False, ("jane", "doe"))),
        ("e10482@acme.example", LocalPart(("e",), "", True, ("e",))),
        ("0123456789abcdef@acme.example", LocalPart(("abcdef",), "", True, ("abcdef",))),
        ("a1b2@acme.example", LocalPart(("ab",), "", True, ("ab",))),
        ("a@acme.example", LocalPart(("a",), "", True, ("a",))),
        ("ab@acme.example", LocalPart(("ab",), "", False, ("ab",))),
        ("--@acme.example", LocalPart((), "", True, ())),
        ("", LocalPart((), "", True, ())),
    ],
)
def test_an_address_is_taken_apart(email: str, part: LocalPart) -> None:
    assert local_part(email) == part


@given(st.sampled_from(labelled()), st.sampled_from(["+phone", "2", "07"]), st.booleans())
def test_tags_numbers_and_capitals_change_nothing(person, mark: str, is_loud: bool) -> None:
    local, _, domain = person.email.partition("@")
    plain = local_part(person.email)
    marked = f"{local.upper() if is_loud else local}{mark}@{domain}"
    if not plain.is_opaque and not local_part(marked).is_opaque:
        assert local_part(marked) == plain
