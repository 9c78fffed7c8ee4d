"""Serial numbers: what compares as equal, and what firmware shows when nobody entered one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.serials import (
    SERIAL_DROPPED,
    SERIAL_REPLACED,
    SERIAL_REPLACEMENTS,
    is_junk_serial,
    serial_key,
)
from intune_pipeline.sandbox.fleets import generate_labelled_fleet


def is_junk(serial: str) -> bool:
    return is_junk_serial(serial_key(serial) or "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PF-1234AB", "PF\u20111234AB"),
        ("PF-1234AB", "PF\u22121234AB"),
        ("PF-1234AB", "pf\uff0d1234ab"),
        ("PF1234AB", "PF\u00ad1234AB"),
        ("PF1234AB", "\ufeffPF\u200b12\u200d34\u2060AB"),
        ("PF1234AB", "\uff30\uff26\uff11\uff12\uff13\uff14ab"),
        ("5CG 123", "5cg\u3000123"),
    ],
)
def test_serials_that_a_person_reads_alike_are_alike(one: str, other: str) -> None:
    assert serial_key(one) == serial_key(other)


def test_the_law_replaces_one_by_one_and_never_what_it_drops() -> None:
    assert len(SERIAL_REPLACED) == len(SERIAL_REPLACEMENTS)
    assert len(set(SERIAL_REPLACED + SERIAL_DROPPED)) == len(SERIAL_REPLACED + SERIAL_DROPPED)
    assert not set(SERIAL_REPLACEMENTS) & set(SERIAL_REPLACED + SERIAL_DROPPED)


def test_every_dash_and_every_space_of_unicode_is_known() -> None:
    for character in map(chr, range(0x110000)):
        if unicodedata.category(character) == "Pd":
            assert serial_key(f"a{character}b") == "A-B", hex(ord(character))
        if unicodedata.category(character) == "Zs":
            assert serial_key(f"a{character}b") == "AB", hex(ord(character))


@given(st.text())
def test_a_compared_serial_compares_to_itself(serial_number: str) -> None:
    key = serial_key(serial_number)
    assert serial_key(key) == key
    assert serial_key(f"\u200b{serial_number}\n") == key


GLPI_AND_OCS = (
    "N/A", "(null string)", "INVALID", "SYS-1234567890", "SYS-9876543210", "SN-12345", "SN-1234567890", "0000000", "1111111",
    "1", "0101", "1.2.3", "0123456789", "12345", "123456", "1234567", "12345678", "123456789", "1234567890",
    "123456789000", "12345678901234567", "NNNNNNN", "xxxxxxxxxxx", "EVAL", "IATPASS", "none", "To Be Filled By O.E.M.",
    "Tulip Computers", "Serial Number xxxxxx", "SN-123456fvgv3i0b8o5n6n7k", "Unknow", "System Serial Number",
    "MB-1234567890", "empty", "Not Specified", "OEM_Serial", "SystemSerialNumb", "03142563",
    "03000200-0400-0500-0006-000700080009",
)  # fmt: skip
"""What GLPI (glpi_blacklists) and OCS Inventory (blacklist_serials) ship."""


@pytest.mark.parametrize("serial", GLPI_AND_OCS)
def test_what_other_inventories_refuse_is_junk(serial: str) -> None:
    assert is_junk(serial)


@pytest.mark.parametrize(
    "serial",
    ["9876543210", "987654", "23456789", "78901234", "00000123456", "ABCDEFG", "0123456789ABCDEF", "qwertyuiop",
     "1212121212", "ABCABCABC", "Default_String", "System Seri", "To be filled by O", "$(DEFAULT_STRING)",
     "oem default string inject xxxxxxxxxx", "OEM Default string000", "BSN12345678901234567", "S/N 1234567",
     "Chassis Serial", "Base Board Serial Num", "NO SERIAL", "Serial#", "INVALID_SERIAL", "TBD", "Product Name", "0x00000000",
     "\uff10\uff10\uff10\uff10\uff10", "98765432109876543210", "SYS-987654321", "0123000", "0003210",
     "0045670", "FEDCBA", "ABABABAB", "SN-7777777"],
)  # fmt: skip
def test_counts_repetitions_cut_and_decorated_phrases_are_junk(serial: str) -> None:
    assert is_junk(serial)


@pytest.mark.parametrize(
    "serial",
    ["AB12", "5CG1234XYZ", "PF-3X.12", "0000-0014-0657-8375", "C02DX0J7MD6Q", "1112", "NONE1", "SN-00417", "SN-01234",
     "SN-23456", "SER00001", "LAP00001", "PHONE001", "SN-10001", "SYS10", "TEST1", "PC-1041", "PF123456", "R9N0CV1234", "MB21X7",
     "SERIAL0001", "SN-7787878", "NXVKBEK00112345", "12AB34CD"],
)  # fmt: skip
def test_a_real_serial_is_not_junk(serial: str) -> None:
    assert not is_junk(serial)


def test_no_serial_of_an_invented_fleet_is_junk_but_the_junk_ones() -> None:
    for device in generate_labelled_fleet(7, 2_000):
        if device.kind not in {"junk_serial", "no_serial", "personal", "ownership_unknown"}:
            assert not is_junk(device.record["serialNumber"]), device


@given(st.integers(4, 60), st.integers(0, 9), st.sampled_from([1, -1]))
def test_digits_that_count_are_junk_at_any_length(length: int, first: int, step: int) -> None:
    assert is_junk("".join(str((first + step * place) % 10) for place in range(length)))


@given(st.sampled_from(GLPI_AND_OCS), st.sampled_from([" ", "\u00ad", "\u200b", "\ufeff"]), st.booleans())
def test_junk_stays_junk_however_it_is_written(serial: str, invisible: str, upper: bool) -> None:
    written = serial.upper() if upper else serial.lower()
    assert is_junk(invisible.join(written))


@given(st.text(max_size=500))
def test_every_text_gets_a_verdict(serial: str) -> None:
    assert is_junk(serial) in {True, False}
