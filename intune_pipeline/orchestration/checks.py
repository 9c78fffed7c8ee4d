"""What is checked in every run and shown in Dagster beside the asset.

Belongs here: the checks' names, their severity, and judging numbers. Does not belong here: computing the numbers.

They are ``check_specs`` of the assets and get their numbers from the asset, because a separate `asset_check` of a
partitioned asset would load every tenant's frame. A failed check of severity ERROR stops the run before anything
downstream of its asset is touched; a warning is shown and the run goes on.
"""

from collections.abc import Mapping

import dagster as dg

BLOCKING = dg.AssetCheckSeverity.ERROR
WARNING = dg.AssetCheckSeverity.WARN

_DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "raw_intune_devices": {
        "list_accounted_for": "Every listed device is either in the frame, once, or counted as personal.",
        "list_complete": "The whole list was read; a capped one proves no device's absence.",
        "list_not_shrunk": "The list is about as long as at the last good sync; else lifecycle changes are held.",
    },
    "classified_devices": {
        "counts_add_up": "Every listed device is eligible or skipped for exactly one reason.",
        "one_device_per_serial": "No two eligible devices have the same serial number.",
        "few_unknown_models": "The share of devices whose type nobody knows is below the limit.",
        "few_junk_serials": "The share of placeholder serial numbers is below the limit.",
    },
    "employees": {
        "no_lookalikes": "No employee would be created beside one of the same name without a work e-mail.",
    },
    "allwhere_assets": {
        "outcomes_add_up": "Every listed device was synced, skipped or failed, and is counted once.",
        "one_asset_per_serial": "No two synced devices share an asset.",
        "no_device_failed": "Every eligible device could be written.",
        "no_plaintext_secrets": "Every stored bypass code is encrypted, and the history holds none.",
    },
}
_BLOCKING_CHECKS = frozenset(
    {"list_accounted_for", "counts_add_up", "one_device_per_serial", "outcomes_add_up", "one_asset_per_serial"}
)


def specs_of(asset: str) -> list[dg.AssetCheckSpec]:
    """The checks of an asset."""
    return [
        dg.AssetCheckSpec(name, asset=asset, description=description, blocking=name in _BLOCKING_CHECKS)
        for name, description in _DESCRIPTIONS.get(asset, {}).items()
    ]


def verdict(name: str, *, passed: bool, says: str, **numbers: float) -> dg.AssetCheckResult:
    """One check's outcome.

    Args:
        name: the check.
        passed: whether all is well.
        says: a sentence for people, without anybody's data.
        numbers: what was compared.
    """
    severity = BLOCKING if name in _BLOCKING_CHECKS else WARNING
    return dg.AssetCheckResult(
        check_name=name, passed=bool(passed), severity=severity, description=says, metadata=dict(numbers)
    )


def share_below(name: str, *, count: int, of: int, limit: float, what: str) -> dg.AssetCheckResult:
    """A check that a share stays at or below a limit; of nothing, nothing is too much."""
    share = count / of if of else 0.0
    says = f"{count} of {of} devices ({share:.1%}) {what}; up to {limit:.0%} is usual."
    return verdict(name, passed=share <= limit, says=says, count=count, of=of, share=round(share, 4))


def not_shrunk(listed: int, *, before: int | None, max_share: float, max_devices: int) -> dg.AssetCheckResult:
    """Compare a list's length with the last good sync's."""
    if before is None:
        return verdict("list_not_shrunk", passed=True, says="There is no earlier sync to compare with.", listed=listed)
    missing = max(0, before - listed)
    passed = missing <= max_devices and missing <= max_share * before
    says = f"{listed} devices listed, {before} at the last good sync" + (
        "." if passed else f": {missing} fewer is more than may leave at once, so lifecycle changes are held."
    )
    return verdict("list_not_shrunk", passed=passed, says=says, listed=listed, before=before, missing=missing)
