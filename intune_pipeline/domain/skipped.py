"""Why a device is skipped, in words: said by ``why``, the pages and the API.

Belongs here: one entry per `SkipReason`. Does not belong here: deciding that a device is skipped (``eligibility``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from intune_pipeline.domain.vocabulary import SkipReason


@dataclass(frozen=True, slots=True)
class SkipExplanation:
    """A skip reason in words.

    Attributes:
        name: What it is called.
        because: Why the device is skipped, as a phrase.
        remedy: What a customer's admin does about it, one or two sentences.
    """

    name: str
    because: str
    remedy: str


SKIPPED: Final[Mapping[str, SkipExplanation]] = {
    SkipReason.PERSONAL: SkipExplanation(
        "Personal device",
        "Intune says that it belongs to a person",
        "Nothing to do: personal devices are counted and their details dropped. If one belongs to your company, set "
        "its ownership to Corporate in Intune.",
    ),
    SkipReason.OWNERSHIP_UNKNOWN: SkipExplanation(
        "Ownership unknown",
        "Intune does not say that the company owns it",
        "Open the device in Intune, choose Properties and set Device ownership to Corporate.",
    ),
    SkipReason.NO_SERIAL: SkipExplanation(
        "No serial number",
        "it has no serial number",
        "Let the device check in to Intune again; a virtual machine without a serial number cannot be an asset.",
    ),
    SkipReason.JUNK_SERIAL: SkipExplanation(
        "Unusable serial number",
        "its serial number is a placeholder",
        "The maker left a placeholder as serial number; enter the real one in the device's firmware and let it check in.",
    ),
    SkipReason.DESKTOP: SkipExplanation(
        "Desktop computer",
        "it is a desktop",
        "Nothing to do: allwhere does not manage desktops through Intune.",
    ),
    SkipReason.UNKNOWN_TYPE: SkipExplanation(
        "Unknown type of device",
        "no rule knows what kind of device it is",
        "Models that no rule knows wait under Unknown models; their devices are synced once you have said what they are. "
        "Meeting-room screens, servers and the like are no employee devices and need nothing.",
    ),
    SkipReason.SUPERSEDED: SkipExplanation(
        "Older record of the same device",
        "a newer record of the same serial number won",
        "Nothing to do: a newer record of the same serial number is synced. Delete the old record in Intune to tidy up.",
    ),
    SkipReason.SERIAL_COLLISION: SkipExplanation(
        "Two devices with one serial number",
        "another, different machine shows the same serial number, so neither record is used",
        "Two different live devices report the same serial number, so neither is synced; open them in Intune and "
        "correct or retire the wrong one.",
    ),
    SkipReason.UNDONE: SkipExplanation(
        "Undone, kept back",
        "a run that created its asset was undone",
        "Nothing to do: somebody undid the sync that created its asset. To sync it again, lift what was undone on the "
        "device's page.",
    ),
}
"""Every skip reason there is."""
