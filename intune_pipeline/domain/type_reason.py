"""Why a device has its type, as one sentence for people; no rule ids.

Belongs here: the sentence. Does not belong here: deciding the type (``classification``).
"""

from collections.abc import Mapping
from typing import Final

from intune_pipeline.domain.classification import ACCOUNT_REASON, NO_RULE
from intune_pipeline.domain.vocabulary import DeviceType

NAMES: Final[Mapping[str, str]] = {
    DeviceType.LAPTOP: "a laptop",
    DeviceType.TABLET: "a tablet",
    DeviceType.MOBILE: "a phone or another mobile device",
    DeviceType.DESKTOP: "a desktop",
    DeviceType.UNKNOWN: "not an employee's device",
}
"""What a type is called within a sentence."""


def type_sentence(device_type: str | None, rule: str | None, reason: str | None) -> str:
    """Why a device has its type; "" when no type was decided.

    Args:
        device_type: One of `DeviceType`.
        rule: What decided, see ``Classification.rule``.
        reason: The rule's reason, see ``Classification.reason``.
    """
    if not device_type or not rule:
        return ""
    if rule == NO_RULE:
        return "Its type is unknown: nobody has said yet what this maker's model is."
    what = NAMES[device_type]
    if rule.startswith("account:"):
        note = (reason or "").removeprefix(ACCOUNT_REASON).strip()
        return f"It is {what}, as your company said{f': {note}' if note else ''}{'' if note.endswith('.') else '.'}"
    because = (reason or "").strip().rstrip(".")
    return f"It is {what}: {because}." if because else f"It is {what}."
