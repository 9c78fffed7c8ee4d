"""What a device's own values say about its hardware: a clean model name, display size, release year, sizes in GB.

Belongs here: reading what is stated. Does not belong here: knowing it (a catalogue of display sizes or release years),
because Graph states neither and a guess would overwrite what a person entered.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

#: Storage as it is sold, in GB: powers of two up to 512, then 1 TB, 2 TB, 4 TB …
MARKETED_STORAGE_GB = tuple(chain((2**power for power in range(10)), (1000 * 2**power for power in range(8))))

#: How far, as a fraction of the marketed size, a drive may be from it: 10 % covers binary against decimal counting.
MARKETED_TOLERANCE = 0.1

#: A fleet has few models and sizes, and the same ones again and again.
REMEMBERED = 4096

_GB = 1000**3
_GIB = 1024**3
_DISPLAY = re.compile(
    r"(?<![\d.])(\d{1,2}(?:\.\d{1,2})?)[- ]?(?:inch(?:es)?\b|in(?!\w|[- ]?1\b)|[\"″”])", re.IGNORECASE
)
_GROUP = re.compile(r"\(([^()]*)\)")
_YEAR = re.compile(r"(?:[a-z]+ )?((?:199|20\d)\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model string states.

    Attributes:
        model: The model without a bracketed description of display and year; None when it is blank.
        display_size: The diagonal in inches as plain decimal text, such as "14" or "12.9".
        release_year: The year of release. Only a year is ever stated, so there is no date.
    """

    model: str | None
    display_size: str | None
    release_year: int | None


@lru_cache(REMEMBERED)
def facts_from_model(model: str) -> ModelFacts:
    """Read display size and release year from a model that states them.

    "MacBook Pro (14-inch, 2021)" is a MacBook Pro with 14 inches of 2021; "iPad Pro (12.9-inch) (5th generation)" is
    an iPad Pro (5th generation) with 12.9 inches; "Latitude 7440" states nothing.

    Args:
        model: Graph: model.
    """
    sizes = {_plain_decimal(size) for size in _DISPLAY.findall(model)}
    years = {year for group in _GROUP.findall(model) for year in _years(group)}
    name = " ".join(_GROUP.sub(_without_description, model).split())
    return ModelFacts(
        model=name or " ".join(model.split()) or None,
        # A model that states two sizes or years states none.
        display_size=sizes.pop() if len(sizes) == 1 else None,
        release_year=years.pop() if len(years) == 1 else None,
    )


@lru_cache(REMEMBERED)
def storage_gb(size_in_bytes: int | None) -> int | None:
    """Storage in the GB a person would recognise.

    The nearest marketed size when it is within 10 % (68,719,476,736 bytes are 64 GB, 511,000,000,000 are 512 GB), else
    decimal GB, rounded. None when Graph states nothing: null, 0, or less than half a GB.

    Args:
        size_in_bytes: Graph: totalStorageSpaceInBytes.
    """
    if not size_in_bytes or size_in_bytes < 0:
        return None
    size = size_in_bytes / _GB
    marketed = min(MARKETED_STORAGE_GB, key=lambda candidate: abs(candidate - size))
    return marketed if abs(marketed - size) <= marketed * MARKETED_TOLERANCE else round(size) or None


def memory_gb(size_in_bytes: int | None) -> int | None:
    """Memory in GiB, rounded; None when Graph states nothing: null, 0, or less than half a GiB.

    Args:
        size_in_bytes: Graph: physicalMemoryInBytes.
    """
    if not size_in_bytes or size_in_bytes < 0:
        return None
    return round(size_in_bytes / _GIB) or None


def _years(group: str) -> list[int]:
    return [int(match[1]) for part in group.split(",") if (match := _YEAR.fullmatch(part.strip()))]


def _without_description(group: re.Match[str]) -> str:
    return "" if _years(group[1]) or _DISPLAY.search(group[1]) else group[0]


def _plain_decimal(size: str) -> str:
    return f"{float(size):g}"
