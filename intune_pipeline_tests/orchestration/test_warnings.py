"""A check that warns for a tenant reaches people who do not look at Dagster: a line of what needs them, and an alert, once."""

from datetime import timedelta

import pytest

from intune_pipeline.domain.vocabulary import Check, NeedKind
from intune_pipeline.inventory import needs
from intune_pipeline.orchestration import checks
from intune_pipeline.orchestration.sync.alerts import watch
from intune_pipeline_tests.orchestration.conftest import World

LATE_AFTER = timedelta(hours=26)


def told(world: World) -> list[str]:
    """Messages of one look."""
    inbox: list[str] = []

    def notify(_: str, body: str) -> bool:
        inbox.append(body)
        return True

    watch(world.engine, late_after=LATE_AFTER, notify=notify)
    return inbox


def waiting(world: World) -> dict[NeedKind, str]:
    with world.engine.connect() as db:
        return {need.kind: need.what for need in needs.of_account(db, "acme", late_after=LATE_AFTER)}


def test_the_checks_that_may_warn_are_all_known() -> None:
    specs = {spec.name for asset in checks.ASSETS_CHECKED for spec in checks.specs_of(asset) if not spec.blocking}
    assert specs == set(Check)


def test_a_warning_is_a_line_of_what_needs_people_and_an_alert_once_until_it_clears(
    world: World, environment: pytest.MonkeyPatch
) -> None:
    """All devices of the tenant get a placeholder for a serial number."""
    for record in world.tenant.devices.values():
        record["serialNumber"] = "To be filled by O.E.M."
    synced = world.sync()
    assert synced
    assert synced.status == "succeeded"
    assert not world.checks()["few_junk_serials"]
    [line] = [what for kind, what in waiting(world).items() if kind is NeedKind.CHECK_WARNED]
    assert "have a placeholder for a serial number" in line
    messages = [body for body in told(world) if "placeholder" in body]
    assert messages == [f"acme: {line} The check few_junk_serials in Dagster shows since when."]
    assert told(world) == []
    world.sync()
    assert told(world) == []

    environment.setenv("INTUNE_JUNK_SHARE_WARNING", "1.0")
    world.reload()
    world.sync()
    assert NeedKind.CHECK_WARNED not in waiting(world)
    assert told(world) == []
    assert world.query("select cause from alerts where cleared_at is null and cause = 'few_junk_serials'") == []


def test_what_a_hold_says_is_not_told_a_second_time(world: World) -> None:
    world.sync()
    world.execute('update sync_runs set warnings = \'{"no_lookalikes": "2 users share a name."}\'')
    assert [body for body in told(world) if "share a name" in body] == [
        "acme: 2 users share a name. The check no_lookalikes in Dagster shows since when."
    ]
    world.execute(
        "insert into employee_holds (connection_id, email, first_name, last_name) values (:id, 'a@b.c', 'A', 'B')",
        id=world.account.connection_id,
    )
    assert len(told(world)) == 1
    assert {row.cause for row in world.query("select cause from alerts where cleared_at is null")} == {"employee_hold"}


def test_a_dry_run_warns_nobody(world: World) -> None:
    for record in world.tenant.devices.values():
        record["serialNumber"] = "0"
    assert world.sync(ops={"allwhere_assets": {"config": {"dry_run": True}}}) is None
    assert told(world) == []
