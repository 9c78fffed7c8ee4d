"""Fleets of managed devices, invented from a seed, with every oddity of real ones in realistic shares.

The same seed and size give the same fleet on the same day, byte for byte. Each device comes with the truth about it, so
that a test can tell how many of which kind a sync must find. What devices and people are called is in ``catalog``;
nothing here answers requests.
"""

import random
import string
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import NAMESPACE_DNS, uuid5

from intune_pipeline.sandbox import catalog, managed_devices
from intune_pipeline.sandbox.catalog import Model
from intune_pipeline.sandbox.managed_devices import NEVER, ZERO_GUID, Record
from intune_pipeline.sandbox.platforms import PLATFORMS, Platform

KIND_SHARES: dict[str, float] = {
    "laptop": 0.485,
    "mobile": 0.150,
    "tablet": 0.030,
    "personal": 0.150,
    "desktop": 0.060,
    "unknown_type": 0.045,
    "superseded": 0.030,
    "junk_serial": 0.015,
    "no_serial": 0.015,
    "ownership_unknown": 0.012,
    "serial_collision": 0.004,
}
"""Shares of a fleet by kind: an eligible device's type, or the reason for which a sync must skip it."""

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
_CODE_LETTERS = "ACDEFGHJKLMNPQRTUVWXYZ0123456789"
_GIGABYTE = 10**9
_GIBIBYTE = 2**30
_LEAVING_STATES = ("retirePending", "retireIssued", "wipePending", "wipeIssued", "deletePending")
_STAYING_STATES = ("retireFailed", "retireCanceled", "wipeFailed", "wipeCanceled", "unhealthy", "discovered")


@dataclass
class FleetDevice:
    """One invented device.

    Attributes:
        record: The managedDevice, with the values of a single GET that selects everything.
        kind: The truth: the type of an eligible device (laptop, tablet, mobile) or the reason it must be skipped.
    """

    record: Record
    kind: str


def generate_fleet(
    seed: int, size: int, *, domain: str = "acme.example", as_of: datetime | None = None
) -> list[Record]:
    """``size`` managedDevice records; see :func:`generate_labelled_fleet`."""
    return [device.record for device in generate_labelled_fleet(seed, size, domain=domain, as_of=as_of)]


def generate_labelled_fleet(
    seed: int, size: int, *, domain: str = "acme.example", as_of: datetime | None = None
) -> list[FleetDevice]:
    """A fleet with the truth about every device.

    Args:
        seed: Chooses the fleet.
        size: Number of devices.
        domain: Mail domain of its people, an example domain.
        as_of: The moment the fleet is looked at, the start of this day unless named: what is recent moves with the days.

    Returns:
        Devices in no meaningful order; ids and serials are unique except for the twins and collisions meant to be.
    """
    moment = as_of or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _Fleet(random.Random(seed), size, domain, moment).devices()  # noqa: S311


class _Fleet:
    """Invents the devices of one fleet; every choice comes from ``rng``."""

    def __init__(self, rng: random.Random, size: int, domain: str, as_of: datetime) -> None:
        self._rng = rng
        self._size = size
        self._domain = domain
        self._as_of = as_of
        self._serials: set[str] = set()
        self._people = _people(rng, max(1, size * 3 // 4), domain)
        self._next_person = 0
        self._models = {kind: _weighted(kind) for kind in ("laptop", "mobile", "tablet", "desktop", "unknown_type")}
        self._originals: list[FleetDevice] = []

    def devices(self) -> list[FleetDevice]:
        kinds = self._rng.choices(list(KIND_SHARES), list(KIND_SHARES.values()), k=self._size)
        fleet = [self._device(kind) for kind in kinds]
        self._rng.shuffle(fleet)
        return fleet

    def _device(self, kind: str) -> FleetDevice:
        if kind in {"superseded", "serial_collision"}:
            return self._copy(kind) if self._originals else self._device("laptop")
        device = FleetDevice(self._record(self._model(kind)), kind)
        record = device.record
        if kind == "personal":
            record["managedDeviceOwnerType"] = "personal"
            record["activationLockBypassCode"] = None
        elif kind == "ownership_unknown":
            record["managedDeviceOwnerType"] = "unknown"
        elif kind == "no_serial":
            record["serialNumber"] = self._rng.choice(("", "   ", None))
        elif kind == "junk_serial":
            record["serialNumber"] = self._rng.choice(catalog.JUNK_SERIALS)
        elif kind == "laptop" and record["lastSyncDateTime"] != NEVER:
            self._originals.append(device)
        return device

    def _copy(self, kind: str) -> FleetDevice:
        """A second record with the serial of an earlier laptop, which is then no longer to be copied."""
        original = self._originals.pop(self._rng.randrange(len(self._originals)))
        if kind == "superseded":
            return FleetDevice(self._earlier_enrolment(original.record), kind)
        other_makers = [one for one in self._models["laptop"][0] if one.manufacturer != original.record["manufacturer"]]
        record = self._record(self._rng.choice([one for one in other_makers if one.platform == "windows"]))
        record["serialNumber"] = original.record["serialNumber"]
        for one in (record, original.record):
            one["lastSyncDateTime"] = self._date(hours=self._rng.randrange(20))
            one["managementState"] = "managed"
        original.kind = kind
        return FleetDevice(record, kind)

    def _earlier_enrolment(self, record: Record) -> Record:
        """The record a re-enrolled device left behind: same hardware, older dates, the serial maybe spelt otherwise."""
        serial, last_sync = record["serialNumber"], datetime.fromisoformat(record["lastSyncDateTime"][:19] + "Z")
        last_sync -= timedelta(seconds=self._rng.randrange(86_400, 300 * 86_400))
        return {
            **record,
            **self._user_fields(),
            "id": self._guid(),
            "azureADDeviceId": self._guid(),
            "deviceName": f"OLD-{record['deviceName']}",
            "serialNumber": self._rng.choice((serial, serial, serial.lower(), f" {serial} ")),
            "enrolledDateTime": self._stamp(last_sync - timedelta(days=self._rng.randrange(30, 400))),
            "lastSyncDateTime": self._stamp(last_sync),
        }

    def _model(self, kind: str) -> Model:
        if kind == "personal":
            kind = self._rng.choices(("mobile", "laptop", "tablet"), (75, 20, 5))[0]
        elif kind not in self._models:
            kind = "laptop"
        models, weights = self._models[kind]
        return self._rng.choices(models, cum_weights=weights)[0]

    def _record(self, model: Model) -> Record:
        rng, platform = self._rng, PLATFORMS[model.platform]
        serial = self._serial(model.serial)
        last_sync = rng.randrange(48 if rng.random() < 0.85 else 120 * 24)
        enrolled = last_sync + rng.randrange(24, 1500 * 24)
        record = {
            **managed_devices.UNKNOWN,
            "id": self._guid(),
            "azureADDeviceId": self._guid() if rng.random() < 0.93 else ZERO_GUID,
            "complianceState": rng.choices(("compliant", "noncompliant", "unknown"), (90, 7, 3))[0],
            "deviceEnrollmentType": rng.choice(platform.enrollment_types),
            "enrolledDateTime": self._date(hours=enrolled),
            "isEncrypted": rng.choices((True, False, "True"), (930, 65, 5))[0],
            "lastSyncDateTime": self._date(hours=last_sync) if rng.random() < 0.997 else NEVER,
            "managementAgent": rng.choice(platform.agents),
            "managementCertificateExpirationDate": self._stamp(self._as_of + timedelta(days=rng.randrange(1, 365))),
            "managementState": self._management_state(),
            "manufacturer": model.manufacturer,
            "model": self._model_string(model),
            "operatingSystem": rng.choice(platform.systems),
            "osVersion": rng.choice(platform.versions),
            "serialNumber": serial,
            "wiFiMacAddress": f"{rng.getrandbits(40):012X}",
            **self._user_fields(android=model.platform == "android"),
        }
        record["deviceName"] = self._name(model, record)
        record["managedDeviceName"] = f"{record['userDisplayName'] or ''}_{record['operatingSystem']}_{serial}"
        self._add_sizes(record, model)
        self._add_platform_details(record, model, platform)
        return record

    def _add_sizes(self, record: Record, model: Model) -> None:
        """Storage, marketed in decimal for drives and binary for phones, and memory, which Intune knows for Windows."""
        rng, unmanaged = self._rng, record["managementAgent"] in {"eas", "jamf", "configurationManagerClient"}
        marketed = rng.choice(model.storage_gb)
        if unmanaged:
            total = 0
        elif model.platform in {"ios", "ipad", "android"}:
            total = marketed * _GIBIBYTE
        else:
            total = int(marketed * _GIGABYTE * rng.uniform(0.985, 1.0))
        record["totalStorageSpaceInBytes"] = total
        record["freeStorageSpaceInBytes"] = int(total * rng.uniform(0.1, 0.9))
        if model.platform == "windows" and not unmanaged:
            record["physicalMemoryInBytes"] = int(rng.choice(model.memory_gb) * _GIBIBYTE * rng.uniform(0.985, 1.0))
            record["ethernetMacAddress"] = f"{rng.getrandbits(40):012X}"

    def _add_platform_details(self, record: Record, model: Model, platform: Platform) -> None:
        rng = self._rng
        if platform.cellular:
            record["imei"] = _imei(rng)
            record["iccid"] = f"89{rng.randrange(10**17):017d}"
            record["jailBroken"] = rng.choices(("False", "Unknown", "True"), (96, 3, 1))[0]
        if platform.supervisable and rng.random() < 0.8:
            record["isSupervised"] = True
            record["activationLockBypassCode"] = self._bypass_code()
            record["udid"] = f"0000{rng.getrandbits(16):04X}-{rng.getrandbits(64):016X}"
        if model.platform == "android":
            record["androidSecurityPatchLevel"] = "2026-10-05"

    def _user_fields(self, *, android: bool = False) -> Record:
        """Whose the device is: a person most often, sometimes nobody, sometimes a room or a service."""
        rng, draw = self._rng, self._rng.random()
        if draw < 0.10:
            return {"userId": None, "userDisplayName": None, "userPrincipalName": None, "emailAddress": None}
        if draw < 0.12:
            display_name, mailbox = rng.choice(catalog.SHARED_USERS)
            user = _user(_guid_of(f"{mailbox}@{self._domain}"), display_name, f"{mailbox}@{self._domain}")
        elif self._next_person < len(self._people) and draw < 0.75:
            user = self._people[self._next_person]
            self._next_person += 1
        else:
            user = self._people[rng.randrange(max(1, self._next_person))]
        if android and rng.random() < 0.15:
            user = {**user, "userPrincipalName": f"{rng.getrandbits(128):032x}{user['userPrincipalName']}"}
        return user

    def _name(self, model: Model, record: Record) -> str:
        rng, serial = self._rng, record["serialNumber"]
        first = (record["userDisplayName"] or "Spare").split(" ")[0].strip(",")
        if model.platform == "mac":
            return rng.choice((f"{first}’s {model.name}", f"MAC-{serial}"))
        if model.platform in {"ios", "ipad"}:
            return rng.choice(
                ("iPhone" if model.platform == "ios" else "iPad", f"{first}’s {model.name.split(' ')[0]}")
            )
        if model.platform == "android":
            return f"{first}_AndroidForWork_{rng.randrange(1, 13)}/{rng.randrange(1, 29)}/2025_{rng.randrange(1, 13)}:51 AM"
        return rng.choice(
            (f"DESKTOP-{self._serial_text('#######')}", f"LAPTOP-{self._serial_text('########')}", f"WS-{serial}")
        )

    def _model_string(self, model: Model) -> str:
        if model.manufacturer == "LENOVO" and len(model.name) == catalog.LENOVO_MACHINE_TYPE_LENGTH:
            return f"{model.name}{self._rng.choice(('S00A00', '0012GE', '004XUS', 'CTO1WW', '001AUK', 'S1FD00'))}"
        return model.name

    def _management_state(self) -> str:
        draw = self._rng.random()
        if draw < 0.975:
            return "managed"
        return self._rng.choice(_LEAVING_STATES if draw < 0.99 else _STAYING_STATES)

    def _date(self, *, hours: int) -> str:
        """A moment in the hour that began so many hours and one ago."""
        return self._stamp(self._as_of - timedelta(seconds=hours * 3600 + self._rng.randrange(3600)))

    def _stamp(self, moment: datetime) -> str:
        """A date as a single GET shows it, with seven fraction digits."""
        return f"{moment.isoformat()[:19]}.{self._rng.randrange(10**7):07d}Z"

    def _serial(self, pattern: str) -> str:
        serial = self._serial_text(pattern)
        while serial in self._serials:
            serial = self._serial_text(pattern)
        self._serials.add(serial)
        return serial

    def _serial_text(self, pattern: str) -> str:
        choice, alphabets = self._rng.choice, {"#": _LETTERS, "%": string.digits, "@": "0123456789abcdef"}
        return "".join(choice(alphabets[one]) if one in alphabets else one for one in pattern)

    def _bypass_code(self) -> str:
        letters = self._rng.choices(_CODE_LETTERS, k=26)
        groups = (5, 5, 4, 4, 4, 4)
        return "-".join(
            "".join(letters[end - length : end]) for length, end in zip(groups, accumulate(groups), strict=True)
        )

    def _guid(self) -> str:
        return _guid(self._rng.getrandbits(128))


def _weighted(kind: str) -> tuple[list[Model], list[int]]:
    models = [model for model in catalog.MODELS if model.kind == kind]
    return models, list(accumulate(model.weight for model in models))


def _people(rng: random.Random, number: int, domain: str) -> list[Record]:
    """The user fields of ``number`` people with distinct principal names."""
    people, taken = [], dict[str, int]()
    for _ in range(number):
        first, last = rng.choice(catalog.FIRST_NAMES), rng.choice(catalog.LAST_NAMES)
        mailbox = f"{_ascii(first)}.{_ascii(last)}"
        taken[mailbox] = taken.get(mailbox, 0) + 1
        if taken[mailbox] > 1:
            mailbox += str(taken[mailbox])
        address = f"{mailbox}@{domain}"
        display_name = rng.choices(
            (f"{first} {last}", f"{last}, {first}", f"{first} {last} (Contractor)", first), (88, 8, 3, 1)
        )[0]
        email = rng.choices((address, address.title(), ""), (85, 10, 5))[0]
        people.append(_user(_guid(rng.getrandbits(128)), display_name, address, email))
    return people


def _user(user_id: str, display_name: str, principal_name: str, email: str | None = None) -> Record:
    return {
        "userId": user_id,
        "userDisplayName": display_name,
        "userPrincipalName": principal_name,
        "emailAddress": principal_name if email is None else email,
    }


def _ascii(name: str) -> str:
    replaced = name.lower().replace("ø", "o").replace("ł", "l").replace("'", "").replace(" ", "")
    return unicodedata.normalize("NFKD", replaced).encode("ascii", "ignore").decode()


def _imei(rng: random.Random) -> str:
    """Fifteen digits, the last one the Luhn check digit."""
    digits = f"35{rng.randrange(10**12):012d}"
    doubled = (sum(divmod(int(one) * (1 + position % 2), 10)) for position, one in enumerate(digits))
    return f"{digits}{-sum(doubled) % 10}"


def _guid(bits: int) -> str:
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _guid_of(text: str) -> str:
    return str(uuid5(NAMESPACE_DNS, text))
