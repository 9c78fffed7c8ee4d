"""What is checked in every run and shown in Dagster beside the asset.

Belongs here: the checks' names, their severity, and judging numbers. Does not belong here: computing the numbers.

They are ``check_specs`` of the assets and get their numbers from the asset, because a separate `asset_check` of a
partitioned asset would load every tenant's frame. A failed check of severity ERROR stops the run before anything
downstream of its asset is touched; a warning is shown and the run goes on.
"""

import warnings
from collections.abc import Mapping, Sequence

import dagster as dg

from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import Counts
from intune_pipeline.domain.vocabulary import Check, SkipReason
from intune_pipeline.inventory.frames import Listing
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.orchestration.partitions import tenants
from intune_pipeline.orchestration.sync.steps import Listed

BLOCKING = dg.AssetCheckSeverity.ERROR
WARNING = dg.AssetCheckSeverity.WARN

_DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "raw_intune_devices": {
        "list_accounted_for": "Every listed device is in the frame, once, or counted as personal or unreadable.",
        Check.LIST_COMPLETE: "The whole list was read; a capped one proves no device's absence.",
        Check.LIST_NOT_SHRUNK: "The list is about as long as at the last good sync; else lifecycle changes are held.",
    },
    "classified_devices": {
        "counts_add_up": "Every listed device is eligible, unreadable, or skipped for exactly one reason.",
        "one_device_per_serial": "No two eligible devices have the same serial number.",
        Check.FEW_UNKNOWN_MODELS: "The share of devices whose type nobody knows is below the limit.",
        Check.FEW_JUNK_SERIALS: "The share of placeholder serial numbers is below the limit.",
    },
    "employees": {
        Check.NO_LOOKALIKES: "No employee would be created beside one of the same name without a work e-mail.",
    },
    "allwhere_assets": {
        "outcomes_add_up": "Every listed device was synced, skipped or failed, and is counted once.",
        "one_asset_per_serial": "No two synced devices share an asset.",
        Check.NO_DEVICE_FAILED: "Every device could be read, and every eligible one written.",
        Check.NO_PLAINTEXT_SECRETS: "Every stored bypass code is encrypted, and the history holds none.",
    },
}
#: The assets that check themselves.
ASSETS_CHECKED = tuple(_DESCRIPTIONS)
_ASSET_OF = {name: asset for asset, names in _DESCRIPTIONS.items() for name in names}
_BLOCKING_CHECKS = frozenset(
    {"list_accounted_for", "counts_add_up", "one_device_per_serial", "outcomes_add_up", "one_asset_per_serial"}
)


def specs_of(asset: str) -> list[dg.AssetCheckSpec]:
    """The checks of an asset, by tenant as the asset is."""
    with warnings.catch_warnings():
        # `partitions_def` is in preview in 1.13 (dagster#27747); a change would be seen by a test.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                str(name),  # Dagster writes down plain text only.
                asset=asset,
                description=description,
                blocking=name in _BLOCKING_CHECKS,
                partitions_def=tenants,
            )
            for name, description in _DESCRIPTIONS.get(asset, {}).items()
        ]


def unanswered(asset: str) -> list[dg.Output[None]]:
    """What an asset's step ends with when it checks nothing: Dagster waits for each check, and stores none of these."""
    return [dg.Output(None, output_name=spec.get_python_identifier()) for spec in specs_of(asset)]


def check_result(name: str, *, passed: bool, says: str, **numbers: float) -> dg.AssetCheckResult:
    """One check's outcome.

    Args:
        name: the check.
        passed: whether all is well.
        says: a sentence for people, without anybody's data.
        numbers: what was compared.
    """
    severity = BLOCKING if name in _BLOCKING_CHECKS else WARNING
    return dg.AssetCheckResult(
        asset_key=_ASSET_OF[name],
        check_name=str(name),
        passed=bool(passed),
        severity=severity,
        description=says,
        metadata=dict(numbers),
    )


def of_listing(listed: Listed, *, before: SyncRun | None, policy: Policy) -> list[dg.AssetCheckResult]:
    """The checks of ``raw_intune_devices``."""
    ids = {device.intune_device_id for device in listed.devices} | set(listed.personal_ids)
    reason = (
        f"{counted(listed.unreadable, 'entry', 'entries')} had no id" if listed.unreadable else "the list was capped"
    )
    return [
        check_result(
            "list_accounted_for",
            passed=len(ids) + listed.unreadable == listed.devices_listed,
            says=f"{counted(listed.devices_listed, 'device')}: {counted(len(listed.devices), 'row')}, {len(listed.personal_ids)} personal, "
            f"{listed.unreadable} unreadable.",
        ),
        check_result(
            Check.LIST_COMPLETE,
            passed=listed.complete,
            says="The whole list was read." if listed.complete else f"Incomplete: {reason}; it proves no absence.",
        ),
        not_shrunk(listed.devices_listed, before.devices_listed if before else None, policy),
    ]


def not_shrunk(listed: int, before: int | None, policy: Policy) -> dg.AssetCheckResult:
    """Compare a list's length with the last good sync's."""
    if before is None:
        return check_result(
            Check.LIST_NOT_SHRUNK, passed=True, says="There is no earlier sync to compare with.", listed=listed
        )
    missing = max(0, before - listed)
    passed = missing <= policy.lifecycle_max_devices and missing <= policy.lifecycle_max_share * before
    says = f"{counted(listed, 'device')} listed, {before} at the last good sync" + (
        "." if passed else f": {missing} fewer is more than may leave at once, so lifecycle changes are held."
    )
    return check_result(Check.LIST_NOT_SHRUNK, passed=passed, says=says, listed=listed, before=before, missing=missing)


def of_classification(
    judged: Sequence[JudgedDevice],
    listing: Listing,
    skipped: Mapping[str, int],
    *,
    unknown_share: float,
    junk_share: float,
) -> list[dg.AssetCheckResult]:
    """The checks of ``classified_devices``.

    Args:
        judged: every listed device but personal ones.
        listing: the list.
        skipped: devices by skip reason, personal ones included.
        unknown_share: the share of devices of unknown type that is usual.
        junk_share: the share of placeholder serial numbers that is usual.
    """
    eligible = [one.device.serial_key for one in judged if one.skip_reason is None]
    accounted = len(eligible) + sum(skipped.values()) + listing.unreadable
    listed = listing.devices_listed
    return [
        check_result(
            "counts_add_up",
            passed=accounted == listed,
            says=f"{listed} listed = {len(eligible)} eligible + {sum(skipped.values())} skipped + "
            f"{listing.unreadable} unreadable.",
            listed=listed,
            accounted=accounted,
        ),
        check_result(
            "one_device_per_serial",
            passed=len(set(eligible)) == len(eligible),
            says=f"{counted(len(eligible), 'eligible device')}, {counted(len(set(eligible)), 'serial number')}.",
        ),
        _share_below(
            Check.FEW_UNKNOWN_MODELS,
            count=skipped.get(SkipReason.UNKNOWN_TYPE, 0),
            of=listed,
            limit=unknown_share,
            what="are of an unknown type",
        ),
        _share_below(
            Check.FEW_JUNK_SERIALS,
            count=skipped.get(SkipReason.JUNK_SERIAL, 0),
            of=listed,
            limit=junk_share,
            what="have a placeholder for a serial number",
        ),
    ]


def of_people(lookalikes: int) -> list[dg.AssetCheckResult]:
    """The check of ``employees``."""
    alike = f"{counted(lookalikes, 'user shares', 'users share')} a name with an employee without a work e-mail"
    says = f"{alike}: the same person twice?" if lookalikes else f"{alike}."
    return [check_result(Check.NO_LOOKALIKES, passed=not lookalikes, says=says, lookalikes=lookalikes)]


def of_reconciliation(counts: Counts, asset_ids: Sequence[int], exposed: int) -> list[dg.AssetCheckResult]:
    """The checks of ``allwhere_assets``, of what was done or, in a dry run, would be.

    Args:
        counts: what was done.
        asset_ids: the assets of the synced devices.
        exposed: bypass codes found without encryption.
    """
    skipped = counts.devices_skipped.total()
    accounted = counts.devices_synced + skipped + counts.devices_failed
    return [
        check_result(
            "outcomes_add_up",
            passed=accounted == counts.devices_listed,
            says=f"{counts.devices_listed} listed = {counts.devices_synced} synced + {skipped} skipped + "
            f"{counts.devices_failed} failed.",
            listed=counts.devices_listed,
            accounted=accounted,
        ),
        check_result(
            "one_asset_per_serial",
            passed=len(set(asset_ids)) == len(asset_ids),
            says=f"{counted(len(asset_ids), 'device')}, {counted(len(set(asset_ids)), 'asset')}.",
        ),
        check_result(
            Check.NO_DEVICE_FAILED,
            passed=not counts.devices_failed,
            says=_failures(counts),
            failed=counts.devices_failed,
        ),
        check_result(
            Check.NO_PLAINTEXT_SECRETS,
            passed=not exposed,
            says=f"{counted(exposed, 'bypass code is', 'bypass codes are')} in the database without encryption.",
            exposed=exposed,
        ),
    ]


def _failures(counts: Counts) -> str:
    unread = counts.devices_unreadable
    unwritten = counts.devices_failed - unread
    said = [
        *([f"{counted(unwritten, 'device')} could not be written; device_outcomes says why."] if unwritten else []),
        *(
            [f"{counted(unread, 'entry', 'entries')} of Microsoft's list without an id could not be read."]
            if unread
            else []
        ),
    ]
    return " ".join(said) or "Every device was read, and every eligible one written."


def _share_below(name: str, *, count: int, of: int, limit: float, what: str) -> dg.AssetCheckResult:
    share = count / of if of else 0.0
    says = f"{count} of {counted(of, 'device')} ({share:.1%}) {what}; up to {limit:.0%} is usual."
    return check_result(name, passed=share <= limit, says=says, count=count, of=of, share=round(share, 4))
