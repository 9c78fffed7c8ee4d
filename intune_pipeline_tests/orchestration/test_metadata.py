"""What customers' devices call themselves is data in Dagster's UI, never Markdown."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from intune_pipeline.orchestration.metadata import markdown_table, preview

HOSTILE = [
    "![x](https://evil.example/pixel.png)",
    "[Sign in again](https://evil.example)",
    "<img src=https://evil.example/pixel.png>",
    "<https://evil.example>",
    "https://evil.example/a",
    "www.evil.example",
    "Www.Evil.example",
    "ada@evil.example",
    "[x]: https://evil.example",
    "`![x](https://evil.example)`",
    "a ` b `` ![x](https://evil.example) ``",
    "a | ![x](https://evil.example) | b",
    "a \\| b",
    "back\\",
    "line\n| --- |\n# heading",
    "**bold** _emphasis_ ~~gone~~",
    "a-_b_-c",
    "&#33;[x](https://evil.example)",
    "$x$ :smile: #1 @somebody",
]
PLAIN = [
    "Latitude 5440",
    "MacBook Pro (14-inch, 2023)",
    "10.0.22631.3007",
    "iPad14,3",
    "company_owned",
    "SM-S921B/DS",
    "Surface Laptop Go 2",
]
markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def cells(*values: object) -> list[list[Token]]:
    """The inline tokens of each cell of the one row, as a renderer sees them."""
    [*_, row] = rows(markdown.parse(markdown_table([f"c{i}" for i in range(len(values))], [values]).value or ""))
    return row


def rows(tokens: list[Token]) -> list[list[list[Token]]]:
    found: list[list[list[Token]]] = []
    for token in tokens:
        if token.type == "tr_open":
            found.append([])
        elif token.type == "inline":
            found[-1].append(token.children or [])
    return found


def text(cell: list[Token]) -> str:
    return "".join(token.content for token in cell)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is_and_loads_nothing(value: str) -> None:
    before, cell, after = cells("before", value, "after")
    assert [token.type for token in cell] == ["code_inline"]
    assert text(cell).split() == value.replace("|", "¦").split()
    assert (text(before), text(after)) == ("before", "after")


@pytest.mark.parametrize("value", PLAIN)
def test_a_usual_name_is_plain_text(value: str) -> None:
    [[token]] = cells(value)
    assert (token.type, token.content) == ("text", value)


def test_signs_that_turn_text_around_are_left_out() -> None:
    [[token]] = cells("Latitude\u202e 0445")
    assert token.content == "Latitude 0445"


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_no_value_is_anything_but_text_in_its_own_cell(values: list[str]) -> None:
    found = cells(*values)
    assert len(found) == len(values)
    for cell in found:
        assert {token.type for token in cell} <= {"text", "code_inline"}
        plain = "".join(token.content for token in cell if token.type == "text").casefold()
        assert not any(sign in plain for sign in ("www.", "://", "@", "<", "!", "["))


def test_a_frames_preview_shows_names_as_data() -> None:
    frame = pd.DataFrame({"operating_system": ["Windows"], "manufacturer": ["Dell"], "model": [HOSTILE[0]]})
    tokens = [token for row in rows(markdown.parse(preview(frame).value or "")) for cell in row for token in cell]
    assert HOSTILE[0] in {token.content for token in tokens if token.type == "code_inline"}
    assert not any(token.type == "image" for token in tokens)
