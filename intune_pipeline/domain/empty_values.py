"""What counts as empty, per field: agents and firmware fill in words where they know nothing.

Belongs here: whether a clean text is a value of its field. Does not belong here: cleaning it (``devices``), and which
serials are junk (``serials``). What is empty never overwrites a value of allwhere.
"""

import re
from functools import lru_cache
from typing import Final

EMPTY_WORDS: Final = frozenset({"", "unknown", "null", "none", "00000000-0000-0000-0000-000000000000"})
"""Values Intune shows where it knows nothing, in any field but those where they may be somebody's choice."""

_REMEMBERED: Final = 4096
_SIGNS: Final = re.compile(r"[\W_]+")
_IMEI: Final = re.compile(r"[0-9]{14,16}")
_IMEI_SIGNS: Final = re.compile(r"[ /.-]")
_NO_VERSION: Final = re.compile(r"[0.,\s-]*")

# Without spaces, signs and case.
_NOTHING: Final = re.compile(
    r"(no|not|un|in)?(applicable|available|defined|set|specified|provided|known|know|reported|valid|assigned)"
    r"|n?a|nil|null|none|empty|missing|tbd|nullstring|nodata|novalue|undefined|unavailable|unidentified|badindex|error"
    r"|(oem)?default(string\d*)?|(defaultstring)?tobefilled\w*|filledbyoem|oem|x+|0+|asset|placeholder"
)
_NO_MAKER: Final = re.compile(
    r"(system|board|baseboard|chassis|computer|product)?(manufacturer|manufact|vendor|maker)(name)?"
)
_NO_MODEL: Final = re.compile(
    r"(my|the|your)?(system|base|board|baseboard|chassis|computer|pc|notebook|hp|product|device)*"
    r"(product|model|name|number|version|family|sku|serialnumber|productname|modelname|manufacturer)"
    r"(product|name|number|version|no)?|allseries|pleasechangeproductname|type1productconfigid|enterthemachinetype\w*"
    r"|sku|noenclosure|invalidmodel|insydeh2oefibios"
)


def imei(value: str | None) -> str | None:
    """An IMEI as its digits: 14 to 16 of them, not all alike; None for everything else."""
    digits = _IMEI_SIGNS.sub("", value or "")
    return digits if _IMEI.fullmatch(digits) and len(set(digits)) > 1 else None


def maker(value: str | None) -> str | None:
    """A maker's name; None for words that stand for none ("N/A", "To be filled by O.E.M.", "System manufacturer")."""
    return None if _is_filler(value, _NO_MAKER) else value


def model(value: str | None) -> str | None:
    """A model; None for words that stand for none ("-", "Not available", "System Product Name")."""
    return None if _is_filler(value, _NO_MODEL) else value


def operating_system(value: str | None) -> str | None:
    """A system's name; None for words that stand for none."""
    return None if _is_filler(value) else value


def os_version(value: str | None) -> str | None:
    """A version; None for words that stand for none, and for noughts ("0.0.0.0")."""
    return None if value is None or _is_filler(value) or _NO_VERSION.fullmatch(value) else value


@lru_cache(_REMEMBERED)
def _is_filler(value: str | None, of_this_field: re.Pattern[str] | None = None) -> bool:
    letters = _SIGNS.sub("", value or "").casefold()
    return not letters or bool(_NOTHING.fullmatch(letters) or (of_this_field and of_this_field.fullmatch(letters)))
