"""What is wrong with what somebody sent, field by field, in our words.

Belongs here: sentences for the checks of ``inputs`` and of routes' types. Does not belong here: how they are shown (``app``),
and checks with a meaning of their own, whose pages show them beside the field.
"""

from collections.abc import Mapping
from typing import Any, Final

from intune_pipeline.portal.words import field_name

_UNKNOWN: Final = "is not something this page takes"
_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_too_long": "may have {max_length} characters at most",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "begins or ends with a space, or holds a character that cannot be stored",
    "string_type": "must be a text",
    "too_short": "must name one at least",
    "too_long": "may name {max_length} at most",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "bool_parsing": "must be yes or no",
    "bool_type": "must be true or false",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "date_from_datetime_parsing": "must be a day like 2026-11-27",
    "date_parsing": "must be a day like 2026-11-27",
    "datetime_from_date_parsing": "must be a time like 2026-11-27T06:00:00Z",
    "datetime_parsing": "must be a time like 2026-11-27T06:00:00Z",
    "list_type": "must be a list",
    "extra_forbidden": "is not asked for",
    "json_invalid": "is no JSON",
}


def sentence(problem: Mapping[str, Any]) -> str:
    """One problem as a sentence that begins with the field's name.

    Args:
        problem: an error of pydantic's.
    """
    # Neither what a route's type may be besides ("", a constant) nor the name of one of several bodies is a field.
    where = [part for part in problem["loc"][1:] if isinstance(part, str) and not part[:1].isupper()]
    name = field_name(where[0]) if where else "The request"
    told = _SENTENCES.get(str(problem["type"]), _UNKNOWN)
    values = {key: str(value).replace("'", "") for key, value in (problem.get("ctx") or {}).items()}
    try:
        return f"{name} {told.format_map(values)}."
    except KeyError:
        return f"{name} {_UNKNOWN}."


def sentences(problems: list[Mapping[str, Any]]) -> str:
    """All problems, each said once."""
    return " ".join(dict.fromkeys(map(sentence, problems)))
