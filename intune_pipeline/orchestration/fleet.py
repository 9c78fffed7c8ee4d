"""``fleet``: all tenants as one asset, which the watching sensor reports on every tick.

Belongs here: the asset, its check, and how the numbers are shown. Does not belong here: reading them (``inventory.fleet``),
and telling people (``sync.alerts``).

It is unpartitioned, because its numbers are about all tenants, and nothing computes it: a sensor that stops reporting is
what its freshness policy is there for.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import dagster as dg
from sqlalchemy import Engine

from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.vocabulary import ConnectionStatus
from intune_pipeline.inventory.fleet import FleetLine, FleetTotals, fleet, totals
from intune_pipeline.orchestration.metadata import linked_table
from intune_pipeline.orchestration.resources import Limits

FLEET: Final = dg.AssetKey("fleet")
EVERY_TENANT_SYNCED_LATELY: Final = "every_tenant_synced_lately"
TROUBLED_ROWS: Final = 50
#: The sensor reports every half minute; a restart of the daemon takes less than the first.
WARN_WITHOUT_REPORT: Final = timedelta(minutes=3)
FAIL_WITHOUT_REPORT: Final = timedelta(minutes=10)

fleet_asset = dg.AssetSpec(
    FLEET,
    group_name="operations",
    owners=["team:it-asset-management"],
    kinds={"postgres"},
    description="All tenants together, as the sensor troubles sees them every half minute: how many are connected, late or "
    "in trouble, the devices of their last good syncs, how long these took and how often Microsoft made them wait. "
    "The command line shows the same with intune-pipeline fleet.",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=FAIL_WITHOUT_REPORT, warn_window=WARN_WITHOUT_REPORT),
)


@dg.asset_check(
    asset=FLEET,
    name=EVERY_TENANT_SYNCED_LATELY,
    description="Every connected tenant's last good sync read its list within INTUNE_LATE_AFTER_HOURS; the sensor troubles "
    "looks on every tick.",
)
def every_tenant_synced_lately(database: dg.ResourceParam[Engine], limits: Limits) -> dg.AssetCheckResult:
    """Lateness over all tenants, from the sync log, for whoever runs the check by hand.

    Dagster's own freshness policies look at an asset as a whole, where one fresh tenant hides all stale ones (dagster#34023).
    """
    with database.connect() as db:
        lines = fleet(db, late_after=limits.late_after)
    passed, says = _lateness(lines, limits.late_after)
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, description=says)


def report(
    lines: Sequence[FleetLine], late_after: timedelta
) -> list[dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation]:
    """The asset and its check as they are now, for a sensor to report."""
    passed, says = _lateness(lines, late_after)
    return [
        dg.AssetMaterialization(FLEET, metadata=_shown(totals(lines), lines), description=says),
        dg.AssetCheckEvaluation(
            asset_key=FLEET,
            check_name=EVERY_TENANT_SYNCED_LATELY,
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=says,
            metadata={"late": sum(line.late for line in lines)},
        ),
    ]


def _shown(numbers: FleetTotals, lines: Sequence[FleetLine]) -> dict[str, Any]:
    """Numbers, each of them at every report so that its line in the plot is whole, and the tenants to look at."""
    states = {f"tenants/{status}": numbers.by_status.get(status, 0) for status in ConnectionStatus}
    plotted: dict[str, int | float] = {
        "tenants": numbers.tenants,
        **states,
        "late": numbers.late,
        "in_trouble": numbers.in_trouble,
        "devices": numbers.devices,
        "synced": numbers.synced,
        "unknown_share": numbers.unknown_share,
        "seconds/median": numbers.median_seconds,
        "seconds/longest": numbers.longest_seconds,
        "graph/requests": numbers.requests,
        "graph/throttled": numbers.throttled,
        "holds": numbers.holds,
    }
    # First, because it is what people look for.
    return {"troubled": _troubled(lines), **plotted}


def _troubled(lines: Sequence[FleetLine]) -> dg.MarkdownMetadataValue:
    """The tenants that are late or in trouble, late ones first, each with its partition and its last run.

    Three narrow columns: Dagster cuts off what is wider.
    """
    troubled = sorted((line for line in lines if line.is_in_trouble), key=lambda line: (not line.late, line.account))
    rows = [
        (
            (line.account, f"/assets/allwhere_assets?view=partitions&partition={line.account}"),
            _trouble(line),
            ("run", f"/runs/{line.dagster_run_id}") if line.dagster_run_id else "",
        )
        for line in troubled[:TROUBLED_ROWS]
    ]
    if not rows:
        return dg.MetadataValue.md("No tenant is late or in trouble.")
    more = len(troubled) - len(rows)
    note = f"{more} more: intune-pipeline fleet --trouble" if more else ""
    return linked_table(("tenant", "trouble", "last run"), rows, note=note)


def _trouble(line: FleetLine) -> str:
    age = "never synced" if line.age_hours is None else f"list {line.age_hours:g} h old"
    cause = line.cause.replace("_", " ") if line.cause else ""
    return ", ".join([*(["late", age] if line.late else []), *([cause] if cause else [])])


def _lateness(lines: Sequence[FleetLine], late_after: timedelta) -> tuple[bool, str]:
    late = [line.account for line in lines if line.late]
    if not late:
        return True, "Every connected tenant was synced lately."
    hours = late_after.total_seconds() / 3600
    names = ", ".join(late[:TROUBLED_ROWS]) + (f" and {len(late) - TROUBLED_ROWS} more" if late[TROUBLED_ROWS:] else "")
    return False, f"{counted(len(late), 'tenant is', 'tenants are')} not synced for {hours:g} hours: {names}."
