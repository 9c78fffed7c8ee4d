"""What changed rules would do to devices that are known, before anybody syncs by them.

Belongs here: comparing what each model was with what it would be. Does not belong here: reading devices (``inventory``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.vocabulary import DeviceType

SYNCED_TYPES: Final = frozenset({DeviceType.LAPTOP, DeviceType.TABLET, DeviceType.MOBILE})
"""Types whose devices become assets."""


class Effect(StrEnum):
    """What happens to the devices of a model."""

    CREATED = "created"
    """They were left out for their type and would become assets."""
    LEFT_OUT = "left out"
    """They are synced and would be skipped; their assets stay as they are."""
    RETYPED = "type changes"
    """They stay synced, or stay left out, as another type."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Devices of one account that look alike and were judged alike.

    Attributes:
        account: the account's slug.
        operating_system: as Intune shows it.
        manufacturer: likewise.
        model: likewise.
        device_type: what they were found to be.
        is_synced: whether they have assets; else they were left out for their type.
        devices: how many.
        assets: how many of them have an asset.
        assigned: how many of these assets somebody holds.
    """

    account: str
    operating_system: str
    manufacturer: str
    model: str
    device_type: DeviceType
    is_synced: bool
    devices: int
    assets: int = 0
    assigned: int = 0


@dataclass(frozen=True, slots=True)
class RehearsedChange:
    """A model that changed rules judge otherwise.

    Attributes:
        known: the devices as they were judged.
        becomes: what they would be.
        rule: the rule that would decide.
        effect: what would happen.
    """

    known: KnownModel
    becomes: DeviceType
    rule: str
    effect: Effect

    @property
    def assets_ended(self) -> int:
        """Assets of the account that syncs would keep up to date no more; status and assignee stay as they are."""
        return self.known.assets if self.effect is Effect.LEFT_OUT else 0

    @property
    def assigned_ended(self) -> int:
        """How many of these somebody holds."""
        return self.known.assigned if self.effect is Effect.LEFT_OUT else 0


def rehearse(models: Iterable[KnownModel], classifiers: dict[str, Classifier]) -> Iterator[RehearsedChange]:
    """Every model that would be judged otherwise, in the order given.

    Args:
        models: what is known.
        classifiers: the changed rules with each account's own, by account.
    """
    for known in models:
        answer = classifiers[known.account].classify(known.operating_system, known.manufacturer, known.model)
        becomes = DeviceType(answer.device_type)
        is_eligible = becomes in SYNCED_TYPES
        if is_eligible == known.is_synced and becomes == known.device_type:
            continue
        if is_eligible and not known.is_synced:
            effect = Effect.CREATED
        else:
            effect = Effect.LEFT_OUT if known.is_synced and not is_eligible else Effect.RETYPED
        yield RehearsedChange(known, becomes, answer.rule, effect)
