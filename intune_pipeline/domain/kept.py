"""Values of an asset that a sync leaves as they are: locked by a person, or put back by undoing a run.

Belongs here: when a value is kept and when that ends. Does not belong here: setting locks and undoing (``undo``).

A lock holds until somebody unlocks the field. What was undone is kept while Intune says the same as then: once its value
is another one, the sync writes it, and the value is no longer kept.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from intune_pipeline.domain.vocabulary import KeptKind

WHOLE_ASSET: Final = "asset"
"""In place of a field: that there is no asset of this serial number."""


@dataclass(frozen=True, slots=True)
class KeptValue:
    """One field of one serial number that is kept.

    Attributes:
        id: allwhere's id.
        kind: Locked or undone.
        evidence: What Intune said when it was undone: a value as text, the user's compared e-mail for an assignee, the
            device's id for a whole asset. None for locks.
        intune_value: What Intune was last seen to say instead of the value kept.
    """

    id: int
    kind: KeptKind
    evidence: str | None = None
    intune_value: str | None = None


KeptFields = Mapping[str, Sequence[KeptValue]]
"""What is kept of one serial number, by field."""


def keeping(kept: KeptFields, field: str, said: Collection[str]) -> KeptValue | None:
    """What keeps a field as it is although Intune says this; None when nothing does.

    Args:
        kept: What is kept of the serial number.
        field: The field.
        said: What Intune says of it, in every form in which evidence could be stored.
    """
    return next((one for one in kept.get(field, ()) if one.kind is KeptKind.LOCKED or one.evidence in said), None)


def outdated(kept: KeptFields, field: str, said: Collection[str]) -> list[int]:
    """Ids of what was undone and is no longer kept, because Intune says something else now."""
    if not said:
        return []
    return [one.id for one in kept.get(field, ()) if one.kind is KeptKind.UNDONE and one.evidence not in said]
