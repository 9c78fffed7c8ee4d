"""Bodies of answers: read within limits, and read leniently when one character of them is wrong.

Belongs here: how much of a body is taken, and how its JSON is read. Does not belong here: HTTP (`transport`), what an
answer means (`causes`), and cleaning values (``domain``).
"""

import contextlib
import json
import math
from collections.abc import Iterable
from typing import Any, Protocol

import orjson

MAX_BYTES = 64 * 2**20
"""Most bytes of a body, after unpacking. Graph: a page of 1,000 devices with our properties has less than 1 MiB."""

MAX_UNPACKING = 100
"""Most a body may grow by unpacking. Lists of devices grow ten to thirtyfold."""

SMALL_BYTES = 4 * 2**20
"""Up to this size a body may grow as much as it likes: it does no harm."""

WEB_PAGE = "a web page in place of an answer, as a proxy gives"
"""What `is_web_page` means, in a few words for an operator."""

_CHUNK_BYTES = 64 * 2**10
_LONGEST_INTEGER = 20


class RefusedBodyError(Exception):
    """A whole body that is not read because of its size or its shape; the message says which, in a few words."""


class Body(Protocol):
    """What is read of ``urllib3.HTTPResponse``."""

    def stream(self, amt: int, decode_content: bool) -> Iterable[bytes]:  # noqa: FBT001 - urllib3's own
        """The unpacked body in pieces of at most so many bytes."""

    def tell(self) -> int:
        """How many bytes came over the network so far."""


def read_within_limits(body: Body) -> bytes:
    """The whole body, unpacked.

    Raises:
        RefusedBodyError: it is larger than `MAX_BYTES`, or grows too much when it is unpacked.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in body.stream(_CHUNK_BYTES, decode_content=True):
        size += len(piece)
        if size > MAX_BYTES:
            raise RefusedBodyError(f"an answer of more than {MAX_BYTES // 2**20} MiB")
        if size > SMALL_BYTES and size > MAX_UNPACKING * body.tell():
            raise RefusedBodyError(f"a compressed answer that unpacks to more than {MAX_UNPACKING} times its size")
        pieces.append(piece)
    return b"".join(pieces)


def json_of(content: bytes) -> Any:
    """The JSON value of a body, None when it is not JSON.

    What only a lenient reader reads is read all the same, because one device's name must not cost a page: a byte order
    mark and control characters are skipped, bytes that are not UTF-8 become U+FFFD, half a surrogate pair is dropped,
    and a number that is none (``NaN``, ``1e400``) is None.

    Raises:
        RefusedBodyError: it is nested deeper than any record can be.
    """
    with contextlib.suppress(orjson.JSONDecodeError):
        return orjson.loads(content)
    try:
        return _without_half_pairs(_LENIENT.decode(content.decode("utf-8-sig", errors="replace").strip("\0")))
    except RecursionError:
        raise RefusedBodyError("an answer that is nested deeper than a record can be") from None
    except ValueError:
        return None


def is_web_page(content: bytes) -> bool:
    """Whether a body is HTML, which Microsoft's services never send: a proxy or a sign-in to a network does."""
    return content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _number(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _integer(text: str) -> float | None:
    return int(text) if len(text) <= _LONGEST_INTEGER else _number(text)


def _no_constant(_: str) -> None:
    """What stands for ``NaN`` and the infinities."""


_LENIENT = json.JSONDecoder(parse_float=_number, parse_int=_integer, parse_constant=_no_constant, strict=False)


def _without_half_pairs(value: Any) -> Any:
    """The same value; texts lose surrogates that stand alone, which no database and no encoder takes."""
    if isinstance(value, str):
        return value.encode("utf-8", errors="ignore").decode("utf-8")
    if isinstance(value, dict):
        return {_without_half_pairs(name): _without_half_pairs(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_half_pairs(inner) for inner in value]
    return value
