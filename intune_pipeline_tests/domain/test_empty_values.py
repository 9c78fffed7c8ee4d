"""What counts as empty in which field, so that it never overwrites a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain import empty_values
from intune_pipeline.domain.devices import managed_device

NOTHING = ("", "-", "--", "?", "N/A", "n.a.", "Not available", "Not Applicable", "Unavailable", "None", "null", "Unknown",
           "Unknow", "undefined", "Not Specified", "To be filled by O.E.M.", "To Be Filled By O.E.M", "Default string", "TBD",
           "xxxx", "0", "OEM", "<BAD INDEX>", "(null string)")  # fmt: skip


@pytest.mark.parametrize("nothing", NOTHING)
def test_words_for_nothing_are_no_value_of_hardware(nothing: str) -> None:
    for read in (empty_values.maker, empty_values.model, empty_values.operating_system, empty_values.os_version):
        assert read(nothing) is None


@pytest.mark.parametrize(
    "nothing", ["System Product Name", "Product Name", "All Series", "System Version", "Please change product name", "SKU",
                "Base Board Product Name", "Type1ProductConfigId"],
)  # fmt: skip
def test_what_firmware_shows_for_no_model_is_none(nothing: str) -> None:
    assert empty_values.model(nothing) is None


@pytest.mark.parametrize("nothing", ["System manufacturer", "System Manufacturer", "Manufacturer", "Board Vendor"])
def test_what_firmware_shows_for_no_maker_is_none(nothing: str) -> None:
    assert empty_values.maker(nothing) is None


@pytest.mark.parametrize(
    "model", ["iPhone 15", "Latitude 5440", "20XWS00A00", "Model 3", "MS-7D98", "A16 CVH", "Product X1", "HP 255 G8",
              "Surface Pro", "Notebook 9", "XPS 13 9340", "N/A-1", "System x3250", "900X3T"],
)  # fmt: skip
def test_a_model_is_a_model(model: str) -> None:
    assert empty_values.model(model) == model


@pytest.mark.parametrize("maker", ["Apple", "LENOVO", "OEM Systems", "None Such Ltd", "HP", "Default Inc."])
def test_a_maker_is_a_maker(maker: str) -> None:
    assert empty_values.maker(maker) == maker


@pytest.mark.parametrize("version", [".".join("0000"), "0", "0.0", "0.0.0", " - "])
def test_a_version_of_noughts_is_none(version: str) -> None:
    assert empty_values.os_version(version) is None


@pytest.mark.parametrize("version", ["18.1", "10.0.22631.5335", "0.1", "14", "13 (a)"])
def test_a_version_is_a_version(version: str) -> None:
    assert empty_values.os_version(version) == version


@pytest.mark.parametrize("nothing", ["0", "000000000000000", "111111111111111", "Not available", "Unavailable", "NO_IMEI", "1234567890",
                                     "12345678901234567", "", "35291311987654X", None])  # fmt: skip
def test_an_imei_is_14_to_16_digits_that_differ(nothing: str | None) -> None:
    assert empty_values.imei(nothing) is None


@pytest.mark.parametrize(
    ("shown", "digits"),
    [("352913119876543", "352913119876543"), ("35-291311-987654-3", "352913119876543"), ("35 291311 987654", "35291311987654"),
     ("3529131198765432", "3529131198765432"), ("35353535353535", "35353535353535")],
)  # fmt: skip
def test_an_imei_is_its_digits(shown: str, digits: str) -> None:
    assert empty_values.imei(shown) == digits


def test_a_device_may_be_called_none() -> None:
    assert managed_device({"id": "d1", "deviceName": "None"}).device_name == "None"
    assert managed_device({"id": "d1", "deviceName": "  "}).device_name is None


@given(st.text())
def test_what_is_a_value_stays_as_it_is(value: str) -> None:
    for read in (empty_values.maker, empty_values.model, empty_values.operating_system, empty_values.os_version):
        assert read(value) in {None, value}
