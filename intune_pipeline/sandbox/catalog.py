"""What companies manage with Intune: model strings as devices report them, and the names of invented people.

Data only. ``kind`` is the truth about a model: the device type the product must find, ``desktop``, or ``unknown_type``
for what is no employee's device. Model strings are single public facts from the makers' own catalogues.
"""

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


_NOTEBOOK = ((256, 512, 512, 1000), (16, 16, 32))
_WORKSTATION = ((1000, 2000), (32, 64))
_MAC = ((256, 512, 1000), (16, 24))
_PHONE = ((64, 128, 256), (4,))
_VIRTUAL = ((64, 128, 256), (4, 8, 16))


def _models(
    kind: str,
    platform: str,
    manufacturer: str,
    serial: str,
    sizes: tuple[tuple[int, ...], tuple[int, ...]],
    names: dict[str, int],
) -> tuple[Model, ...]:
    return tuple(Model(kind, platform, manufacturer, name, weight, *sizes, serial) for name, weight in names.items())


LENOVO_MACHINE_TYPE_LENGTH = 4
"""A Lenovo name of this length is a machine type and is reported with a suffix, as 20XW is in 20XWS00A00."""

MODELS: tuple[Model, ...] = (
    *_models(
        "laptop", "windows", "LENOVO", "PF######", _NOTEBOOK,
        {"20XW": 5, "21CB": 6, "21KC": 8, "20W0": 6, "21AH": 9, "21HD": 9, "21MC": 5, "21BR": 6, "21F6": 8, "21LS": 7, "20TA": 4, "21E3": 4, "21JR": 5},
    ),
    *_models("laptop", "windows", "LENOVO", "PF######", _NOTEBOOK, {"ThinkPad T14 Gen 3": 1, "ThinkBook 14 G4 IAP": 1}),
    *_models(
        "laptop", "windows", "Dell Inc.", "#######", _NOTEBOOK,
        {"Latitude 5420": 8, "Latitude 5430": 8, "Latitude 5440": 9, "Latitude 5450": 7, "Latitude 7430": 6, "Latitude 7440": 6, "XPS 13 9310": 3, "Dell Pro 14 PC14250": 4, "Dell Pro 14 Plus PB14250": 3},
    ),
    *_models("laptop", "windows", "Dell Inc.", "#######", _WORKSTATION, {"Precision 3470": 3, "Precision 3581": 3, "Precision 5560": 2}),
    *_models(
        "laptop", "windows", "HP", "5CG#######", _NOTEBOOK,
        {"HP EliteBook 840 G8 Notebook PC": 7, "HP EliteBook 840 14 inch G9 Notebook PC": 8, "HP EliteBook 840 14 inch G10 Notebook PC": 8, "HP EliteBook 850 G7 Notebook PC": 3, "HP ProBook 450 15.6 inch G9 Notebook PC": 4, "HP ZBook Firefly 14 inch G9 Mobile Workstation PC": 3, "HP ZBook Fury 16 G10 Mobile Workstation PC": 2},
    ),
    *_models(
        "laptop", "windows", "Microsoft Corporation", "0%%%%%%%%%%53", _NOTEBOOK,
        {"Surface Laptop 4": 4, "Surface Laptop 5": 5, "Surface Laptop Studio": 2, "Surface Laptop Go 2": 2, "Microsoft Surface Laptop, 7th Edition": 2},
    ),
    *_models("laptop", "windows", "Panasonic Corporation", "%KTSA%%%%%", _NOTEBOOK, {"FZ-55": 1, "CFFV4": 1}),
    *_models("laptop", "windows", "Framework", "FRANBM######", _NOTEBOOK, {"Laptop 13 (AMD Ryzen 7040Series)": 1}),
    *_models(
        "laptop", "mac", "Apple", "C02########", _MAC,
        {"MacBook Pro": 12, "MacBook Air": 12, "MacBook Pro (14-inch, 2021)": 3, "MacBook Air (M2, 2022)": 3, "Mac14,2": 2, "Mac14,9": 2, "Mac15,12": 2, "Mac16,6": 1, "MacBookPro18,3": 1},
    ),
    *_models(
        "mobile", "ios", "Apple", "F##########", _PHONE,
        {"iPhone SE (3rd generation)": 3, "iPhone 12": 4, "iPhone 13": 7, "iPhone 13 Pro Max": 2, "iPhone 14": 6, "iPhone 14 Pro": 3, "iPhone 15": 6, "iPhone 16e": 2},
    ),
    *_models(
        "mobile", "ipad", "Apple", "DMP#########", _PHONE,
        {"iPad (9th generation)": 4, "iPad Air (5th generation)": 2, "iPad Pro (12.9-inch) (5th generation)": 2, "iPad13,4": 1, "iPad": 2},
    ),
    *_models("mobile", "android", "samsung", "R5C########", _PHONE, {"SM-A536B": 4, "SM-G991B": 3, "SM-S911B": 4, "SM-X200": 1}),
    *_models("mobile", "android", "Google", "2########", _PHONE, {"Pixel 6a": 2, "Pixel 7": 2, "Pixel 8": 2}),
    *_models("mobile", "android", "Zebra Technologies", "2%%%%%%%%%%%%", _PHONE, {"TC57": 1, "TC21": 1}),
    *_models(
        "tablet", "windows", "Microsoft Corporation", "0%%%%%%%%%%53", _NOTEBOOK,
        {"Surface Pro 7": 5, "Surface Pro 8": 5, "Surface Pro 9": 6, "Surface Go 3": 3, "Surface Go 2": 2},
    ),
    *_models("tablet", "windows", "Dell Inc.", "#######", _NOTEBOOK, {"Latitude 7220 Rugged Extreme Tablet": 1}),
    *_models(
        "desktop", "windows", "Dell Inc.", "#######", _NOTEBOOK,
        {"OptiPlex 7070": 4, "OptiPlex 7090": 5, "OptiPlex Micro 7010": 4, "OptiPlex 5260 AIO": 1, "Precision 3660": 3, "Precision Tower 7910": 1},
    ),
    *_models("desktop", "windows", "HP", "CZC#######", _NOTEBOOK, {"HP ProDesk 600 G6 Desktop Mini PC": 5, "HP EliteDesk 800 G6 Small Form Factor PC": 4, "HP Z4 G4 Workstation": 2}),
    *_models("desktop", "windows", "LENOVO", "MJ######", _NOTEBOOK, {"11DT": 5, "11D1": 3, "30DH": 2}),
    *_models("desktop", "windows", "Microsoft Corporation", "0%%%%%%%%%%53", _WORKSTATION, {"Surface Studio 2": 1}),
    *_models("desktop", "mac", "Apple", "C02########", _MAC, {"Mac mini": 3, "iMac": 3, "Mac Studio": 1, "Mac14,3": 1, "iMac21,2": 1}),
    *_models(
        "unknown_type", "windows", "Microsoft Corporation", "%%%%-%%%%-%%%%-%%%%-%%%%-%%%%-%%", _VIRTUAL,
        {"Virtual Machine": 5, "Cloud PC Enterprise 2vCPU/8GB/128GB": 6, "Cloud PC Enterprise 4vCPU/16GB/256GB": 4},
    ),
    *_models("unknown_type", "windows", "VMware, Inc.", "VMware-56 4d @@ @@ @@ @@ @@ @@-@@ @@ @@ @@ @@ @@ @@ @@", _VIRTUAL, {"VMware7,1": 3, "VMware Virtual Platform": 2}),
    *_models("unknown_type", "windows", "Parallels International GmbH.", "Parallels-@@ @@ @@ @@ @@ @@ @@ @@", _VIRTUAL, {"Parallels Virtual Platform": 2}),
    *_models("unknown_type", "windows", "Dell Inc.", "#######", _WORKSTATION, {"PowerEdge R640": 2, "Wyse 5070 Thin Client": 2}),
    *_models("unknown_type", "windows", "HP", "MXL#######", _VIRTUAL, {"HP t640 Thin Client": 2, "HP Elite Slice for Meeting Rooms": 2, "ProLiant DL360 Gen10": 2}),
    *_models("unknown_type", "windows", "LENOVO", "MJ######", _VIRTUAL, {"10V50002US": 2}),
    *_models("unknown_type", "windows", "Microsoft Corporation", "0%%%%%%%%%%53", _VIRTUAL, {"Surface Hub 2S": 2, "HoloLens 2": 1}),
)  # fmt: skip

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
