"""Reading one managedDevice: nothing Graph sends breaks it, and everything that comes out can be stored and compared."""

import json
import time
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intune_pipeline.domain.devices import (
    LARGEST_MEMORY,
    LARGEST_STORAGE,
    LONGEST_NAME,
    LONGEST_TEXT,
    ManagedDevice,
    identifier,
    managed_device,
    moment,
    size,
    text,
)
from intune_pipeline.domain.serials import serial_key

PROPERTIES = (
    "id", "managedDeviceOwnerType", "serialNumber", "operatingSystem", "osVersion", "manufacturer", "model", "imei",
    "azureADDeviceId", "totalStorageSpaceInBytes", "deviceName", "managementAgent", "managementState",
    "enrolledDateTime", "lastSyncDateTime", "userId", "emailAddress", "userPrincipalName", "userDisplayName",
)  # fmt: skip


def test_a_record_of_a_list_is_read() -> None:
    device = managed_device(
        {
            "id": "d1",
            "managedDeviceOwnerType": "company",
            "serialNumber": "pf 3x-abcd",
            "operatingSystem": "Windows",
            "osVersion": "10.0.22631.5335",
            "manufacturer": "LENOVO",
            "model": "21LS0012GE",
            "imei": "",
            "azureADDeviceId": "00000000-0000-0000-0000-000000000000",
            "totalStorageSpaceInBytes": 511234589908,
            "deviceName": "DESKTOP-1",
            "managementAgent": "mdm",
            "managementState": "managed",
            "enrolledDateTime": "2025-05-14T05:21:02Z",
            "lastSyncDateTime": "0001-01-01T00:00:00Z",
            "userId": "",
            "emailAddress": "  ",
            "userPrincipalName": None,
            "userDisplayName": "Unknown",
            "complianceState": "compliant",
        }
    )
    assert device == ManagedDevice(
        intune_device_id="d1",
        ownership="company",
        serial_number="pf 3x-abcd",
        operating_system="Windows",
        os_version="10.0.22631.5335",
        manufacturer="LENOVO",
        model="21LS0012GE",
        imei=None,
        azure_ad_device_id=None,
        storage_bytes=511234589908,
        device_name="DESKTOP-1",
        management_agent="mdm",
        management_state="managed",
        enrolled_at=datetime(2025, 5, 14, 5, 21, 2, tzinfo=UTC),
        last_contact_at=None,
        user_id=None,
        user_email=None,
        user_principal_name=None,
        user_display_name=None,
    )
    assert device.serial_key == "PF3X-ABCD"


def test_every_property_is_read_from_its_own_name() -> None:
    values = {name: f"{name}-1" for name in PROPERTIES}
    dates = {"enrolledDateTime": "2025-05-14T05:21:02Z", "lastSyncDateTime": "2025-06-01T00:00:00Z"}
    device = managed_device({**values, "imei": 352913119876543, "totalStorageSpaceInBytes": 64_000_000_000, **dates})
    assert device == ManagedDevice(
        intune_device_id="id-1",
        ownership="manageddeviceownertype-1",
        serial_number="serialNumber-1",
        operating_system="operatingSystem-1",
        os_version="osVersion-1",
        manufacturer="manufacturer-1",
        model="model-1",
        imei="352913119876543",
        azure_ad_device_id="azureADDeviceId-1",
        storage_bytes=64_000_000_000,
        device_name="deviceName-1",
        management_agent="managementAgent-1",
        management_state="managementState-1",
        enrolled_at=datetime(2025, 5, 14, 5, 21, 2, tzinfo=UTC),
        last_contact_at=datetime(2025, 6, 1, tzinfo=UTC),
        user_id="userId-1",
        user_email="emailAddress-1",
        user_principal_name="userPrincipalName-1",
        user_display_name="userDisplayName-1",
    )


@pytest.mark.parametrize("nothing", [5, True, [], {}, None, "Unknown", "null", " "])
def test_words_for_nothing_and_what_is_no_text_are_no_value(nothing: object) -> None:
    names = ("managedDeviceOwnerType", "operatingSystem", "osVersion", "manufacturer", "model", "azureADDeviceId",
             "managementAgent", "managementState", "userId", "emailAddress", "userPrincipalName", "userDisplayName")  # fmt: skip
    device = managed_device({"id": "d1", **dict.fromkeys(names, nothing)})
    assert device == managed_device({"id": "d1"})


def test_names_of_hardware_fit_one_index_entry_together() -> None:
    long = "\u5c71" * 1_000
    device = managed_device({"id": "d1", "operatingSystem": long, "manufacturer": long, "model": long})
    assert device.operating_system == device.manufacturer == device.model == long[:LONGEST_NAME]
    assert 3 * len(long[:LONGEST_NAME].encode()) < 2_704


@pytest.mark.parametrize(
    ("storage", "read"),
    [
        (10**15, 10**15),
        (10**15 + 1, None),
        (2**62, None),
        (2**63 - 1, None),
        ("9223372036854775807", None),
        (1e18, None),
    ],
)
def test_a_size_no_machine_has_is_none(storage: object, read: int | None) -> None:
    assert managed_device({"id": "d1", "totalStorageSpaceInBytes": storage}).storage_bytes == read
    assert size(64 * 2**40, at_most=LARGEST_MEMORY) == LARGEST_MEMORY
    assert size(2**63 - 1, at_most=LARGEST_MEMORY) is None


def test_a_date_that_has_not_come_says_nothing() -> None:
    listed_at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def contact(at: str) -> datetime | None:
        return managed_device({"id": "d1", "lastSyncDateTime": at}, listed_at=listed_at).last_contact_at

    assert contact("2026-03-01T11:00:00Z") == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert contact("2026-03-02T12:00:00Z") == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert contact("2026-03-02T12:00:01Z") is None
    assert contact("2031-01-01T00:00:00Z") is None
    assert (
        managed_device({"id": "d1", "enrolledDateTime": "2031-01-01T00:00:00Z"}, listed_at=listed_at).enrolled_at
        is None
    )


@pytest.mark.parametrize("entry", [None, "device", 5, [], [{"id": "d1"}], True])
def test_an_entry_that_is_no_object_is_refused(entry: object) -> None:
    with pytest.raises(ValueError, match=r"^Microsoft Graph returned something else than a managed device\.$"):
        managed_device(entry)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=30)
    | st.sampled_from(
        [
            "True",
            "0",
            "1e400",
            "\ud800",
            "a\x00b",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.9999999-14:00",
            "٣",
            "²",
        ]
    )
)
JSON_VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
JSON_OBJECTS = st.dictionaries(st.sampled_from(PROPERTIES) | st.text(), JSON_VALUES, max_size=25)


def read(record: dict[str, object]) -> ManagedDevice | None:
    """The device of a record, None where it is refused by the one documented error."""
    try:
        return managed_device(record)
    except ValueError as error:
        if str(error) != "Microsoft Graph returned a managed device without an id.":
            raise
        return None


@given(JSON_OBJECTS)
@example(json.loads('{"id": "\\ud800\\u0000"}'))
@example({"id": 10**5000})
@example({"id": "d1", "serialNumber": 10**5000, "totalStorageSpaceInBytes": float("inf")})
@example({"id": "d1", "enrolledDateTime": "0001-01-01T00:00:00+14:00"})
@example({"id": "d1", "serialNumber": "\ud83d" * 10_000, "userDisplayName": "𝔸" * 10_000})
def test_no_json_object_whatever_breaks_the_reading(record: dict[str, object]) -> None:
    device = read(record)
    for field in fields(device) if device else ():
        value = getattr(device, field.name)
        if isinstance(value, str):
            assert value == value.strip()
            assert 0 < len(value) <= LONGEST_TEXT
            assert "\x00" not in value.encode().decode()
        elif isinstance(value, int):
            assert 0 < value < 2**63
        elif value is not None:
            assert value.tzinfo is UTC


@pytest.mark.parametrize("record_id", [None, "", "  ", True, 1.5, [], {}, "\x00", "\ud800", "Unknown", "x" * (LONGEST_TEXT + 1),
                                       "00000000-0000-0000-0000-000000000000"])  # fmt: skip
def test_a_record_without_an_id_is_refused(record_id: object) -> None:
    with pytest.raises(ValueError, match="without an id"):
        managed_device({"id": record_id, "serialNumber": "PF3XABCD"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (" Latitude  5540\n", "Latitude  5540"),
        ("Jane\tDoe\r\nAcme", "Jane Doe Acme"),
        ("a\x00b\x1b[31m\u202e\ufeff", "ab[31m"),
        ("a\ud800b", "ab"),
        ("Łukasz 山田 \U0001f600", "Łukasz 山田 \U0001f600"),
        ("क्‍ष", "क्‍ष"),
        ("True", "True"),
        ("x" * LONGEST_TEXT, "x" * LONGEST_TEXT),
        ("x" * 10_000, "x" * LONGEST_TEXT),
        ("x" * (LONGEST_TEXT - 1) + "  y", "x" * (LONGEST_TEXT - 1)),
        *((empty, None) for empty in ("", "  ", "\x00", "Unknown", "NULL", "none", None, True, 5, 1.5, [], {})),
    ],
)
def test_a_text_is_one_clean_line(value: object, shown: str | None) -> None:
    assert text(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (" 5CG1234XYZ ", "5CG1234XYZ"),
        (353456789012345, "353456789012345"),
        (0, "0"),
        (2**63 - 1, "9223372036854775807"),
        ("None", "None"),
        ("Unknown", "Unknown"),
        ("x" * LONGEST_TEXT, "x" * LONGEST_TEXT),
        *((none, None) for none in ("", " ", None, True, False, 1.5, -1, 2**63, "x" * (LONGEST_TEXT + 1))),
    ],
)
def test_an_identifier_is_kept_as_shown(value: object, shown: str | None) -> None:
    assert identifier(value) == shown


@pytest.mark.parametrize(
    ("value", "in_bytes"),
    [
        (511234589908, 511234589908),
        (511234589908.0, 511234589908),
        ("511234589908", 511234589908),
        (LARGEST_STORAGE, LARGEST_STORAGE),
        (1, 1),
        (1.9, 1),
        ("1", 1),
        (f"{LARGEST_STORAGE:019}", LARGEST_STORAGE),
        *((none, None) for none in (0, -1, 0.5, LARGEST_STORAGE + 1, 2**63 - 1, 2**63, float("nan"), float("inf"), True, "True", "", "9" * 40, "1e9", "²",
                                    None, [])),
    ],
)  # fmt: skip
def test_a_size_is_a_positive_whole_number(value: object, in_bytes: int | None) -> None:
    assert size(value) == in_bytes


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-03-01T08:00:00Z", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T08:00:00.1234567Z", datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-01T08:00:00.1Z", datetime(2026, 3, 1, 8, 0, 0, 100000, tzinfo=UTC)),
        ("2026-03-01T08:00:00+02:00", datetime(2026, 3, 1, 6, tzinfo=UTC)),
        (" 2026-03-01T08:00:00 ", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        *((never, None) for never in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z",
                                      "1601-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "soon", "",
                                      None, 1767225600, True)),
    ],
)  # fmt: skip
def test_a_date_is_an_aware_moment_or_never(value: object, at: datetime | None) -> None:
    assert moment(value) == at


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_where_the_server_stands_changes_no_date(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for value in ("2026-03-01T08:00:00", "2026-03-01T08:00:00Z", "2026-03-01T10:00:00+02:00"):
            found = moment(value)
            assert found is not None
            assert (found.isoformat(), found.tzinfo) == ("2026-03-01T08:00:00+00:00", UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


YEAR_2000, YEAR_2199 = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2199))


@given(st.integers(YEAR_2000, YEAR_2199), st.integers(0, 9_999_999))
def test_a_list_and_a_single_record_show_the_same_second(second: int, fraction: int) -> None:
    at = datetime.fromtimestamp(second, UTC)
    listed = moment(f"{at:%Y-%m-%dT%H:%M:%S}Z")
    detailed = moment(f"{at:%Y-%m-%dT%H:%M:%S}.{fraction:07}Z")
    assert listed == at
    assert detailed == at.replace(microsecond=fraction // 10)


@pytest.mark.parametrize(
    ("serial_number", "key"),
    [
        (" pf3x abcd ", "PF3XABCD"),
        ("pf3x\u00a0ab\u200bcd\u3000", "PF3XABCD"),
        ("5cg-12.34/ß", "5CG-12.34/ß"),
        ("\t \n", None),
        ("", None),
        (None, None),
    ],
)
def test_serials_compare_without_spaces_and_case(serial_number: str | None, key: str | None) -> None:
    assert serial_key(serial_number) == key


@given(st.text())
def test_a_compared_serial_compares_to_itself(serial_number: str) -> None:
    key = serial_key(serial_number)
    assert serial_key(key) == key
    assert serial_key(f" {serial_number}\n") == key
