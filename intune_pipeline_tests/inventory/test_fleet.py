"""All tenants at once: who is late and who in trouble, and the numbers of all together."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from intune_pipeline.inventory import sync_runs
from intune_pipeline.inventory.fleet import FleetLine, fleet, totals
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.inventory.test_sync_runs import COUNTS

LATE_AFTER = timedelta(hours=26)


def lines_of(engine: sa.Engine) -> dict[str, FleetLine]:
    with engine.connect() as db:
        return {line.account: line for line in fleet(db, late_after=LATE_AFTER)}


def test_the_fleet_shows_every_tenant_with_its_trouble(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    good, bad = connect_account("good"), connect_account("bad")
    connect_account("new", status="verifying")
    with engine.begin() as db:
        sync_runs.succeed(db, sync_runs.open_run(db, good.connection_id, "schedule", "g1"), COUNTS)
        sync_runs.succeed(db, sync_runs.open_run(db, bad.connection_id, "schedule", "b1"), COUNTS)
        sync_runs.fail(
            db, sync_runs.open_run(db, bad.connection_id, "schedule", "b2"), "throttled", "Microsoft was busy."
        )
        db.execute(
            sa.text("""
                insert into employee_holds (connection_id, email, first_name, last_name, decision)
                values (:good, 'a@x.y', 'A', 'A', 'waiting'), (:good, 'b@x.y', 'B', 'B', 'skipped');
                insert into lifecycle_holds (connection_id, intune_device_ids, reason) values (:good, '["1", "2"]', 'Many.')
            """),
            {"good": good.connection_id},
        )
    lines = lines_of(engine)
    assert list(lines) == ["bad", "good", "new"]
    assert (lines["good"].devices, lines["good"].unknown_share, lines["good"].cause) == (10, 0.1, None)
    assert (lines["good"].employee_holds, lines["good"].lifecycle_holds) == (1, 2)
    assert (lines["bad"].cause, lines["bad"].trouble) == ("throttled", "Microsoft was busy.")
    assert lines["bad"].last_good_at is not None
    assert (lines["new"].status, lines["new"].last_good_at, lines["new"].age_hours) == ("verifying", None, None)
    assert lines["bad"].dagster_run_id == "b2"
    assert [name for name, line in lines.items() if line.is_in_trouble] == ["bad"]
    numbers = totals(lines.values())
    assert (numbers.tenants, numbers.by_status) == (3, {"connected": 2, "verifying": 1})
    assert (numbers.devices, numbers.synced, numbers.unknown_share, numbers.holds) == (20, 14, 0.1, 3)
    assert (numbers.late, numbers.in_trouble) == (0, 1)


def test_lateness_counts_from_when_the_list_was_read_not_from_when_the_run_ended(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    """A person may write assets from a list that is a day old; the assets are then as old as that list."""
    now = datetime.now(UTC)
    for name, hours in (("fresh", 25), ("stale", 27)):
        account = connect_account(name)
        with engine.begin() as db:
            run = sync_runs.open_run(db, account.connection_id, "operator", name)
            sync_runs.succeed(db, run, {**COUNTS, "listed_at": now - timedelta(hours=hours)})
    connect_account("new")
    connect_account("never", connected_at=now - timedelta(hours=27))
    connect_account("broken", status="needs_consent", connected_at=now - timedelta(days=9))
    lines = lines_of(engine)
    assert {name for name, line in lines.items() if line.late} == {"stale", "never"}
    assert lines["stale"].age_hours == 27.0


def test_no_tenants_make_no_numbers() -> None:
    numbers = totals([])
    assert (numbers.tenants, numbers.devices, numbers.unknown_share, numbers.median_seconds) == (0, 0, 0.0, 0.0)
