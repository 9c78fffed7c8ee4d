"""What companies manage with Intune: model strings as devices report them, and the names of invented people.

Data only: the models are in ``models.csv``, the names below. A model's ``kind`` is the truth about it: the device type
the product must find, ``desktop``, or ``unknown_type`` for what is no employee's device. Model strings are single public
facts from the makers' own catalogues.
"""

import csv
from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple


class Model(NamedTuple):
    """One model string.

    Attributes:
        kind: laptop, tablet, mobile, desktop or unknown_type.
        platform: windows, mac, ios, ipad or android; decides which other properties a device has.
        manufacturer: As reported, spelling included.
        name: The model string; a Lenovo machine type gets its four-character suffix from the fleet.
        weight: How common it is among the models of its kind.
        storage_gb: Marketed drive sizes it comes with.
        memory_gb: Memory sizes it comes with; Intune knows them for Windows only.
        serial: Pattern of its serial number: # is a letter or digit, % a digit, @ a hexadecimal digit.
    """

    kind: str
    platform: str
    manufacturer: str
    name: str
    weight: int
    storage_gb: tuple[int, ...]
    memory_gb: tuple[int, ...]
    serial: str


LENOVO_MACHINE_TYPE_LENGTH = 4
"""A Lenovo name of this length is a machine type and is reported with a suffix, as 20XW is in 20XWS00A00."""


def _models() -> Iterator[Model]:
    text = resources.files(__package__).joinpath("models.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        yield Model(
            kind=row["kind"],
            platform=row["platform"],
            manufacturer=row["manufacturer"],
            name=row["name"],
            weight=int(row["weight"]),
            storage_gb=tuple(map(int, row["storage_gb"].split())),
            memory_gb=tuple(map(int, row["memory_gb"].split())),
            serial=row["serial"],
        )


MODELS: tuple[Model, ...] = tuple(_models())
"""The models of ``models.csv``."""

JUNK_SERIALS: tuple[str, ...] = (
    "0", "00000000", "System Serial Number", "To be filled by O.E.M.", "Default string", "0123456789", "123456789", "None",
    "N/A", "Not Specified", "Unknown", "INVALID", "Chassis Serial Number", "............", "XXXXXXXX", "A1", "default  string",
)  # fmt: skip

FIRST_NAMES: tuple[str, ...] = (
    "Aisha", "Alejandro", "Amelie", "Anders", "Andreea", "Aoife", "Arjun", "Astrid", "Bartosz", "Beatriz", "Björn",
    "Carla", "Chen", "Chidi", "Chloé", "Clara", "Dagmar", "Daniel", "Deepa", "Dmitri", "Elena", "Emeka", "Emma", "Erik",
    "Esra", "Fatima", "Felix", "Femke", "Freya", "Gabriel", "Giulia", "Greta", "Hana", "Hannah", "Henrik", "Hiroshi",
    "Ibrahim", "Inés", "Ingrid", "Isabel", "Ivan", "Jamal", "Jana", "Jonas", "José", "Julia", "Kaito", "Katarzyna",
    "Kofi", "Lars", "Leila", "Lena", "Liam", "Lucía", "Łukasz", "Magnus", "Malik", "Marco", "Maria", "Marie-Claire",
    "Mateo", "Mei", "Michał", "Mina", "Nadia", "Naomi", "Nils", "Noah", "Nora", "Olga", "Olivia", "Omar", "Oskar",
    "Paula", "Pedro", "Priya", "Rafael", "Rania", "Ravi", "Rosa", "Samuel", "Sanna", "Sara", "Sofia", "Stefan", "Sven",
    "Tariq", "Teresa", "Thi", "Tomás", "Ulrike", "Valentina", "Wei", "Xin", "Yara", "Yusuf", "Zoë",
)  # fmt: skip

LAST_NAMES: tuple[str, ...] = (
    "Abbott", "Adeyemi", "Aguilar", "Ahmed", "Andersen", "Araujo", "Bakker", "Banerjee", "Becker", "Bergström",
    "Bianchi", "Brandt", "Castillo", "Chatterjee", "Costa", "Da Silva", "Dahl", "De Vries", "Dietrich", "Dubois",
    "Eriksen", "Fernández", "Ferrari", "Fischer", "Fontaine", "García", "Ghosh", "Graf", "Grünwald", "Haddad", "Hansen",
    "Hartmann", "Hassan", "Hoffmann", "Horváth", "Ivanova", "Jansen", "Jensen", "Jiménez", "Johansson", "Kaplan",
    "Keller", "Khan", "Kim", "Kovács", "Kowalska", "Krüger", "Kumar", "Larsen", "Laurent", "Lehmann", "Lindqvist",
    "Lopez", "Marino", "Martins", "Mbeki", "Meyer-Lindt", "Moreau", "Müller", "Nakamura", "Ndiaye", "Nguyen", "Novák",
    "Nowak", "O'Brien", "O'Connor", "Okafor", "Oliveira", "Olsen", "Öztürk", "Papadopoulos", "Patel", "Petrov",
    "Popescu", "Rahman", "Reyes", "Ricci", "Rossi", "Roux", "Sánchez", "Sato", "Schneider", "Schulz", "Silva", "Singh",
    "Smit", "Sokolov", "Sørensen", "Suzuki", "Tanaka", "Torres", "Van den Berg", "Vargas", "Virtanen", "Wagner",
    "Weber", "Wójcik", "Yamamoto", "Yilmaz", "Zhang", "Zimmermann",
)  # fmt: skip

SHARED_USERS: tuple[tuple[str, str], ...] = (
    ("Meeting Room Berlin", "room-berlin"), ("Meeting Room Lisbon", "room-lisbon"), ("Front Desk", "frontdesk"),
    ("svc-kiosk", "svc-kiosk"), ("Warehouse Scanner 3", "scanner3"), ("Reception", "reception"), ("DEM Enrollment", "dem"),
    ("IT Test Account", "it-test"),
)  # fmt: skip
"""Users that are nobody: display name and mailbox."""
