"""A model as a person would write it: without the vendor, without what every model of the vendor says, without SKUs.

Belongs here: shortening a model string, and taking apart one that describes itself in brackets. Does not belong here: what the maker calls it (the tables in ``data/``).
"""

import re
from typing import Final

TEXT_LENGTH: Final = 256
"""Characters of a manufacturer or model that are looked at; no real name is longer."""

_VENDORS: Final = (
    "hewlett-packard", "hewlett packard", "microsoft corporation", "microsoft", "lenovo", "asustek computer inc.",
    "asus", "acer", "samsung", "apple", "dynabook", "toshiba", "fujitsu", "panasonic", "google", "huawei", "hp",
    "dell inc.", "dell",
)  # fmt: skip
# Phones whose maker is part of the name: "Nokia G22" is never called "G22".
_BRANDS: Final = ("nokia", "motorola", "xiaomi", "redmi", "poco", "oneplus", "oppo", "realme", "vivo", "honor")
# "HP 250 G8" and "Dell Pro 14" are the products' own names: a vendor goes only when a name is left, and Dell's lines of
# 2025 are called "Dell Pro" and "Dell 14 Premium".
_OWN_NAMES: Final = re.compile(
    r"dell (pro|premium|plus|\d)|hp (laptop|notebook|stream|pavilion)? ?\d|hp notebook$", re.IGNORECASE
)
_PADDING: Final = re.compile(
    r"[ ,]+(convertible |base model |detachable |rugged )?"
    r"(notebook( next gen)?( ai)? pc|mobile workstation( pc)?|desktop( ai)? pc|tablet pc|notebook|"
    r"(business )?all-in-one (business )?pc|2-in-1 pc|ai pc|pc|convertible workstation)$",
    re.IGNORECASE,
)
_SKU: Final = re.compile(
    r" \((?=[^)]*\d)[0-9A-Z]{6,8}\)$|"  # "(A11R3AV)"
    r"(?<=\w) (?=[A-Z]*\d)(?=\d*[A-Z])(?!\d+(GB|TB)$)[0-9A-Z]{3,}[0-9](?:A[A-Z]|[A-Z])[A-Z]?(?:#[A-Z]{3})?$|"  # "QEB19A"
    r"_(?=[A-Z]*\d)[0-9A-Z]+$"  # ASUS repeats the model: "X515EA_X515EA"
)

_GROUP: Final = re.compile(r" ?\(([^()]*)\)")
_DESCRIPTION: Final = re.compile(r"\b\d{1,2}(\.\d{1,2})?[- ]inch|(^|, ?)([a-z]+ )?(199|20\d)\d(?=,|$)", re.IGNORECASE)


def tidy(text: str) -> str:
    """The text with single spaces and nothing unprintable, at most `TEXT_LENGTH` characters."""
    printable = text.encode(errors="ignore").decode()
    return " ".join(printable.split())[:TEXT_LENGTH].strip()


def cleaned_name(manufacturer: str, model: str) -> str:
    """The model without its vendor, padding and SKU tail; the model itself when nothing readable would be left.

    >>> cleaned_name("HP", "HP EliteBook 840 14 inch G9 Notebook PC")
    'EliteBook 840 14 inch G9'

    Args:
        manufacturer: Tidied; its first word is a vendor name as well.
        model: Tidied.
    """
    name = _SKU.sub("", model.replace("_", " ") if " " not in model and model.count("_") > 1 else model)
    while (shorter := _PADDING.sub("", name)) != name and shorter.lower() not in _VENDORS:
        name = _SKU.sub("", shorter)
    name = _without_vendor(manufacturer, name)
    return name if any(letter.isalpha() for letter in name) else model


def _without_vendor(manufacturer: str, name: str) -> str:
    lowered = name.lower()
    if _OWN_NAMES.match(name) or lowered.startswith(_BRANDS):
        return name
    for vendor in (manufacturer.lower(), *_VENDORS):
        if vendor and lowered.startswith(f"{vendor} "):
            rest = name[len(vendor) + 1 :].strip(" -,")
            return rest if rest[:1].isalpha() else name
    return name


def without_description(model: str) -> str:
    """The model without a bracketed description of display and year.

    >>> without_description("MacBook Pro (14-inch, 2021)")
    'MacBook Pro'
    >>> without_description("iPad Pro (12.9-inch) (5th generation)")
    'iPad Pro (5th generation)'

    Args:
        model: Tidied; it stays as it is when nothing else would be left.
    """
    return _GROUP.sub(lambda group: "" if _DESCRIPTION.search(group[1]) else group[0], model).strip() or model
