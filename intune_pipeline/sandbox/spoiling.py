"""Bodies as no honest server sends them: what a device's name, a proxy or an attacker can make of an answer.

Here: how each way of spoiling looks. Whether an answer is spoilt is decided by ``faults``, which one by who makes it.
"""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Literal

from intune_pipeline.sandbox.answers import Answer

Hostility = Literal[
    "byte_order_mark",
    "half_emoji",
    "stray_byte",
    "control_character",
    "not_a_number",
    "no_record",
    "nested",
    "huge",
    "bomb",
    "drip",
    "web_page",
]

HUGE_BYTES = 65 * 2**20
"""Just more than a client should take."""

_DEPTH = 50_000
_PAGE = b"<!DOCTYPE html><html><body>Sign in to the network of Hotel Sandbox</body></html>"


def spoilt(answer: Answer, how: Hostility) -> Answer:
    """The same answer, made hostile."""
    if how == "drip":
        return replace(answer, dripping=True)
    if how == "web_page":
        return Answer(200, _PAGE, {"Content-Type": "text/html"})
    if how == "bomb":
        return Answer(200, _bomb(answer.encoded()), {"Content-Encoding": "gzip"})
    return replace(answer, body=_WAYS[how](answer.encoded()))


@cache
def _bomb(content: bytes) -> bytes:
    return gzip.compress(_huge(content))


def _huge(content: bytes) -> bytes:
    return content + b" " * HUGE_BYTES


def _at_first_device(inserted: bytes) -> Callable[[bytes], bytes]:
    """Puts properties in front of the first device's, or entries in front of the first device."""

    def insert(content: bytes) -> bytes:
        head, found, rest = content.partition(b'"value":[{')
        return head + found + inserted + rest if found else b"{" + inserted + content[1:]

    return insert


def _no_record(content: bytes) -> bytes:
    return content.replace(b'"value":[', b'"value":[null,7,"a device",[],{"deviceName":"no id"},', 1)


_WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "byte_order_mark": lambda content: b"\xef\xbb\xbf" + content,
    "half_emoji": _at_first_device(b'"notes":"half \\ud83d",'),
    "stray_byte": _at_first_device(b'"notes":"caf\xe9",'),
    "control_character": _at_first_device(b'"notes":"a\x01\tb",'),
    "not_a_number": _at_first_device(b'"notes":NaN,"ethernetMacAddress":-Infinity,"iccid":1e400,'),
    "no_record": _no_record,
    "nested": _at_first_device(b'"notes":' + b"[" * _DEPTH + b"]" * _DEPTH + b","),
    "huge": _huge,
}
