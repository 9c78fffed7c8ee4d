"""What a source of facts says beside the catalogue, so that a year's new models are a review.

Belongs here: reading a source and comparing. Does not belong here: changing the catalogue, which a person does.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from intune_pipeline.domain.facts import known_facts
from intune_pipeline.errors import WrongUseError

CONTRADICTED: Final = "contradicted"
"""The catalogue's table or rule says another value: one of the two is wrong."""

_COLUMNS: Final = {
    "model_name": ("marketing_name", "product_name"),
    "display_size": ("display_inches",),
    "release_date": ("release", "release_year"),
    "storage_type": ("storage_type",),
}
_KEYS: Final = ("key", "machine_type")
_PLAIN: Final = re.compile(r"[^a-z0-9+]|^lenovo")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that the catalogue does not have, or has otherwise.

    Attributes:
        kind: "added": the catalogue states nothing; "changed": a name written otherwise, or a day for a year;
            `CONTRADICTED`: another value.
        maker: The maker.
        key: What Intune shows as the model.
        field: The field of an asset.
        catalogue: The catalogue's value; None when it states none.
        source: The source's value.
        origin: The catalogue's row or rule; "" when it states nothing.
    """

    kind: str
    maker: str
    key: str
    field: str
    catalogue: str | None
    source: str
    origin: str


def differences(path: Path, maker: str) -> list[Difference]:
    """Everything a source says that the catalogue does not say alike.

    Args:
        path: A CSV file with the columns of `_KEYS` and `_COLUMNS` it knows.
        maker: The maker of rows without a ``manufacturer``.

    Raises:
        WrongUseError: The file cannot be read, or has no key column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            key = next((name for name in _KEYS if name in (rows.fieldnames or ())), None)
            if key is None:
                raise WrongUseError(f"{path} has no column key or machine_type; name every column in its first row.")
            if not maker and "manufacturer" not in (rows.fieldnames or ()):
                raise WrongUseError(f"{path} has no column manufacturer; name the maker with --maker.")
            return [one for row in rows for one in _of_row(row.get("manufacturer") or maker, row[key], row)]
    except UnicodeDecodeError as error:
        raise WrongUseError(f"{path} is not UTF-8 text; save it as “CSV UTF-8” and try again.") from error
    except OSError as error:
        raise WrongUseError(f"{path} cannot be read: {error.strerror}.") from error


def _of_row(maker: str, key: str, row: Mapping[str, str | None]) -> Iterator[Difference]:
    facts = known_facts("", maker, key)
    for field, columns in _COLUMNS.items():
        stated = next((value for column in columns if (value := (row.get(column) or "").strip())), "")
        if not stated:
            continue
        fact = getattr(facts, field)
        kind = _compared(field, fact.value if fact else None, stated, key)
        if kind:
            yield Difference(kind, maker, key, field, fact and fact.value, stated, fact.source if fact else "")


def _compared(field: str, known: str | None, stated: str, key: str) -> str | None:
    """The kind of difference between two values; None when they say the same."""
    if known is None:
        return "added"
    match field:
        case "model_name":
            if _plain(known) == _plain(stated):
                return None
            return "added" if _plain(known) == _plain(key) else "changed"
        case "display_size":
            return None if _same_number(known, stated) else CONTRADICTED
        case "release_date":
            if known == stated or known.startswith(f"{stated}-"):
                return None
            return "changed" if known[:4] == stated[:4] else CONTRADICTED
        case _:
            return None if stated.lower() in {known.lower(), "flash"} else CONTRADICTED


def _same_number(known: str, stated: str) -> bool:
    try:
        return float(known) == float(stated)
    except ValueError:
        return False


def _plain(name: str) -> str:
    return _PLAIN.sub("", name.lower().removeprefix("lenovo "))
