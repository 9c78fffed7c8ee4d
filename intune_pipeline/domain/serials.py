"""Serial numbers: how they compare, and which of them are placeholders of firmware.

Belongs here: the compared form and what makes a serial junk. Does not belong here: which of several devices of one serial
counts (``eligibility``).
"""

import re
from itertools import pairwise
from typing import Final

import re2

SHORTEST_SERIAL: Final = 4
"""Characters a serial has at least, spaces and dots not counted."""

# -- the compared form ----------------------------------------------------------------------------------------------

_SPACES: Final = (
    "\t\n\v\f\r \u0085\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
# What nobody sees: soft hyphens, zero-width spaces and joiners, marks of direction, variation selectors, fillers
# (Unicode: Default_Ignorable_Code_Point of the first plane).
_INVISIBLE: Final = "".join(
    chr(point)
    for points in (
        (0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5), range(0x180B, 0x1810), range(0x200B, 0x2010),
        range(0x202A, 0x202F), range(0x2060, 0x2070), (0x3164,), range(0xFE00, 0xFE10), (0xFEFF, 0xFFA0),
        range(0xFFF0, 0xFFF9),
    )
    for point in points
)  # fmt: skip
# Unicode: Dash_Punctuation, with the minus sign and the hyphen bullet; the full-width one is among the full-width.
_DASHES: Final = (
    "\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c"
    "\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\U00010ead"
)
_FULL_WIDTH: Final = "".join(map(chr, range(0xFF01, 0xFF5F)))
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"

SERIAL_REPLACED: Final = _LOWER + _FULL_WIDTH + _DASHES
"""Characters that compare as another: small letters, full-width letters, digits and signs, dashes."""

SERIAL_REPLACEMENTS: Final = (
    _LOWER.upper() + "".join(chr(ord(wide) - 0xFEE0) for wide in _FULL_WIDTH).upper() + "-" * len(_DASHES)
)
"""What they compare as, one by one."""

SERIAL_DROPPED: Final = _SPACES + _INVISIBLE
"""Characters a serial is compared without. The generated columns ``serial_key`` follow the same law."""

_LAW: Final = str.maketrans(SERIAL_REPLACED, SERIAL_REPLACEMENTS, SERIAL_DROPPED)


def serial_key(serial_number: str | None) -> str | None:
    """The compared form of a serial number; None where nothing is left.

    Without spaces and invisible characters, A to Z in upper case, full-width characters as plain ones, every dash as a
    hyphen.
    """
    if serial_number is None:
        return None
    if serial_number.isascii() and serial_number.isalnum():
        return serial_number.upper()
    return serial_number.translate(_LAW) or None


# -- junk -----------------------------------------------------------------------------------------------------------

# Whole phrases of firmware, often cut short ("SystemSerialNumb") or decorated ("oem default string inject xxx").
_PHRASES: Final = (
    "BASEBOARDSERIALNUMBER", "CHASSISSERIALNUMBER", "DEFAULTSTRING", "ENTERSERIALNUMBER", "NOTAPPLICABLE",
    "NOTAVAILABLE", "NOTDEFINED", "NOTSPECIFIED", "NULLSTRING", "SERIALNUMBER", "SYSTEMMANUFACTURER",
    "SYSTEMPRODUCTNAME", "SYSTEMSERIALNUMBER", "TOBEFILLEDBYOEM",
)  # fmt: skip
_SHORTEST_CUT: Final = 6
_CUT_PHRASES: Final = frozenset(phrase[:end] for phrase in _PHRASES for end in range(_SHORTEST_CUT, len(phrase) + 1))
_WITHIN: Final = re.compile(
    "0X0{4}|TOBEFILLED|FILLEDBYOEM|DEFAULTSTRING|NULLSTRING|SYSTEMSERIAL|SERIALNUMBER|NOTSPECIFIED|BADINDEX"
)

# Words that say nothing, alone or several: "OEM_Serial", "EVAL", "Serial Number xxxxxx", "SYS-1234567890".
_WORDS: Final = (
    "ASSET|BASE|BIOS|BOARD|BSN|CHASSIS|COMPUTER|DEFAULT|DEMO|EMPTY|ENTER|EVAL|EVALUATION|FILLED|GENERIC|INVALID|MAIN|MB|"
    "MISSING|MODEL|NA|NAME|NIL|NO|NONE|NOT|NOTHING|NULL|NUM|NUMBER|OEM|PC|PRODUCT|SAMPLE|SERIAL|SERNO|SERNUM|SET|SN|"
    "STANDARD|STRING|SYS|SYSTEM|TAG|TBD|TEST|UNASSIGNED|UNAVAILABLE|UNDEFINED|UNKNOW|UNKNOWN|UNSET|UNSPECIFIED"
)
# RE2 takes linear time whatever the words; X stands for "anything" in firmware.
_EMPTY_WORDS: Final = re2.compile(f"(?:{_WORDS})+(?:X*|(?P<rest>[0-9].*))")
# Nearly every real serial begins otherwise, and is not searched.
_BEGINNINGS: Final = frozenset(word[:2] for word in _WORDS.split("|"))
_COUNTING: Final = "0123456789" * 60
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KEYBOARD: Final = ("QWERTYUIOP", "QWERTZUIOP", "ASDFGHJKL")
#: The first two characters of whatever counts up or down.
_NEIGHBOURS: Final = frozenset(
    pair
    for row in (_COUNTING, _ALPHABET, *_KEYBOARD)
    for one, other in pairwise(row)
    for pair in (one + other, other + one)
)
_SHORTEST_RUN: Final = 4
_ZEROS_AND_ONES: Final = re.compile("[01]+")
_VERSION: Final = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,3}")
# A short unit over and over: "12121212", "ABCABCABC".
_REPETITION: Final = re.compile(r"(.{1,4}?)\1{2,}")
_SHORTEST_REPETITION: Final = 8
_NO_LETTER_OR_DIGIT: Final = re.compile(r"[\W_]+")

# What no rule says. GLPI (glpi_blacklists) and OCS Inventory (blacklist_serials) ship the first four, AMI's firmware the
# last, in place of a UUID.
_LISTED: Final = frozenset({"03142563", "101102103", "IATPASS", "TULIPCOMPUTERS", "03000200040005000006000700080009"})


def is_junk_serial(key: str) -> bool:
    """Whether a serial, in its compared form, is what firmware shows when nobody entered one.

    Junk is what is too short, one character or a short unit repeated, counts up or down, is made of words that say
    nothing, or is a phrase of firmware, also cut short or decorated.
    """
    bare = (key if key.isalnum() else _NO_LETTER_OR_DIGIT.sub("", key)).upper()
    return (
        len(key.replace(".", "")) < SHORTEST_SERIAL
        or len(set(bare)) <= 1
        or bare in _LISTED
        or _is_run(bare)
        or bool(_ZEROS_AND_ONES.fullmatch(bare) or _VERSION.fullmatch(key))
        or (len(bare) >= _SHORTEST_REPETITION and bool(_REPETITION.fullmatch(bare)))
        or bare in _CUT_PHRASES
        or bool(_WITHIN.search(bare))
        or _is_words(key, bare)
    )


def _is_run(bare: str) -> bool:
    """Whether the characters count up or down, zeros in front of or behind them not minded: "0123456", "987654", "ABCDEF"."""
    return any(
        len(run) >= _SHORTEST_RUN and _counts(run)
        for run in {bare, bare.rstrip("0"), bare.lstrip("0"), bare.strip("0")}
    )


def _counts(run: str) -> bool:
    if run[:2] not in _NEIGHBOURS:
        return False
    if run.isascii() and run.isdecimal():
        return run in _COUNTING or run[::-1] in _COUNTING
    return any(run in row or run[::-1] in row for row in (_ALPHABET, *_KEYBOARD))


def _is_words(key: str, bare: str) -> bool:
    """Whether there is nothing but words that say nothing, and at most a count or a repetition behind them."""
    match = _EMPTY_WORDS.fullmatch(bare) if bare[:2] in _BEGINNINGS else None
    if match is None:
        return False
    rest = match["rest"]
    if rest is None:
        return True
    # "SN-123456fvgv3i0b8o5n6n7k": what follows a count from one is made up as well, where a sign set it apart.
    made_up = not key.isalnum() and rest.startswith("123456")
    return made_up or rest in _COUNTS_FROM_AN_END or (len(rest) >= _SHORTEST_SAME and len(set(rest)) == 1)


_SHORTEST_SAME: Final = 7
# Counting from one, from nought to nine at least, or down from nine; another part of the row ("SN-23456") may be real.
_COUNTS_FROM_AN_END: Final = frozenset(
    row[start : start + length]
    for row, start, shortest in ((_COUNTING, 1, 5), (_COUNTING, 0, 10), (_COUNTING[::-1], 0, 6))
    for length in range(shortest, 30)
)
