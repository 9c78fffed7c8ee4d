"""What of a body is read, and what is refused."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.microsoft.bodies import (
    MAX_BYTES,
    MAX_UNPACKING,
    SMALL_BYTES,
    RefusedBodyError,
    is_web_page,
    json_of,
    read_within_limits,
)


class Stream:
    """A body of so many unpacked bytes that came as so many packed ones."""

    def __init__(self, unpacked: int, packed: int | None = None) -> None:
        self._left = unpacked
        self._packed = unpacked if packed is None else packed
        self.taken = 0

    def stream(self, amt: int, decode_content: bool) -> Iterator[bytes]:
        assert decode_content
        while self._left:
            piece = bytes(min(amt, self._left))
            self._left -= len(piece)
            self.taken += len(piece)
            yield piece

    def tell(self) -> int:
        return self._packed


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a":"x \\ud83d"}', {"a": "x "}),
        (b'{"a":"\\udc00y","b\\ud83d":["\\ud83d"]}', {"a": "y", "b": [""]}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (b'{"a":"\\\\ud83d \\ud83d"}', {"a": "\\ud83d "}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":"caf\xe9"}', {"a": "caf\N{REPLACEMENT CHARACTER}"}),
        (b'{"a":NaN,"b":Infinity,"c":-Infinity,"d":1e400,"e":-1e400}', dict.fromkeys("abcde")),
        (b'{"a":NaN,"b":1.5,"c":12345678901234567890}', {"a": None, "b": 1.5, "c": 12345678901234567890}),
        (b'{"a":NaN,"b":' + b"9" * 5000 + b"}", {"a": None, "b": None}),
        (b'{"a":NaN,"b":' + b"9" * 30 + b"}", {"a": None, "b": 1e30}),
        (b'{"a":"x\x01\ty"}', {"a": "x\x01\ty"}),
        (b'{"a":1}\x00\x00', {"a": 1}),
        (b'{"a":1', None),
        (b"<html>", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_what_a_lenient_reader_reads_is_read_and_cleaned(content: bytes, value: Any) -> None:
    assert json_of(content) == value


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_json)
def test_a_body_that_is_right_reads_the_same_with_a_byte_order_mark_which_only_the_lenient_reader_takes(
    value: object,
) -> None:
    content = orjson.dumps(value)
    assert json_of(content) == value
    assert json_of(b"\xef\xbb\xbf" + content) == value


@given(
    st.recursive(
        st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    )
)
def test_whatever_is_read_can_be_written_again(value: object) -> None:
    orjson.dumps(json_of(json.dumps(value).encode()))


@given(st.binary())
def test_no_bytes_break_the_reader(content: bytes) -> None:
    orjson.dumps(json_of(content))


@pytest.mark.parametrize("depth", [2_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_body_nested_deeper_than_any_record_is_refused(depth: int, opening: bytes, closing: bytes) -> None:
    with pytest.raises(RefusedBodyError, match="nested deeper"):
        json_of(opening * depth + b"1" + closing * depth)


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    assert len(read_within_limits(Stream(MAX_BYTES))) == MAX_BYTES
    with pytest.raises(RefusedBodyError, match="more than 64 MiB"):
        read_within_limits(Stream(MAX_BYTES + 1))


def test_no_more_is_taken_of_a_body_once_it_is_too_large() -> None:
    endless = Stream(10 * MAX_BYTES)
    with pytest.raises(RefusedBodyError):
        read_within_limits(endless)
    assert endless.taken <= MAX_BYTES + 2**20


def test_a_body_may_grow_a_hundredfold_when_it_is_unpacked_or_while_it_is_small() -> None:
    read_within_limits(Stream(2 * SMALL_BYTES, packed=2 * SMALL_BYTES // MAX_UNPACKING + 1))
    read_within_limits(Stream(SMALL_BYTES, packed=1))
    with pytest.raises(RefusedBodyError, match="100 times"):
        read_within_limits(Stream(2 * SMALL_BYTES, packed=SMALL_BYTES // MAX_UNPACKING))


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"<html>", True), (b"\xef\xbb\xbf \r\n<!DOCTYPE html>", True), (b'{"a":"<html>"}', False), (b"", False)],
)
def test_a_web_page_is_told_from_json(content: bytes, expected: bool) -> None:
    assert is_web_page(content) is expected
