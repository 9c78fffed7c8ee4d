"""``why``: the story of a serial, told from what syncs and people really did."""

from collections.abc import Callable

import orjson
import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import kept_values
from intune_pipeline.inventory.accounts import UnknownAccountError
from intune_pipeline.inventory.history import why
from intune_pipeline.inventory.story import Story
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]) -> Tenant:
    account = connect_account()
    return Tenant(engine, account.connection_id, account.account_id)


def story(tenant: Tenant, serial: str) -> Story:
    with tenant.engine.connect() as db:
        return why(db, "acme", serial)


def test_a_synced_device_with_its_rule_and_every_change_by_run(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    tenant.sync([device("d1", "SN-1", "bo.ek@acme.example", osVersion="11")])

    told = story(tenant, " sn-1 ")
    assert told.is_eligible
    assert told.serial_number == "SN-1"
    assert told.asset is not None
    assert told.asset.assignee == "Bo Ek (bo.ek@acme.example)"
    assert told.asset.created_by_trigger == "manual"
    changes = {change.field: (change.old, change.new) for change in told.changes}
    assert changes["os_version"] == ("10.0.26100.1", "11")
    assert changes["assignee_id"] == ("Jane Doe (jane.doe@acme.example)", "Bo Ek (bo.ek@acme.example)")
    text = "\n".join(told.lines())
    assert told.records[0].rule is not None
    assert told.records[0].rule in text
    assert "os_version: 10.0.26100.1 → 11" in text
    assert len(told.lines()) < 25


def test_the_winning_record_comes_first_and_the_loser_says_why(tenant: Tenant) -> None:
    old = device("old", "SN-1", lastSyncDateTime="2026-02-01T00:00:00Z")
    tenant.sync([old, device("new", "SN-1", lastSyncDateTime="2026-03-01T00:00:00Z")])
    records = story(tenant, "SN-1").records
    assert [(record.intune_device_id, record.reason) for record in records] == [("new", None), ("old", "superseded")]


def test_a_collision_shows_both_records_side_by_side(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1"), device("d2", "SN-1", manufacturer="LENOVO", model="20XWS00A00")])
    told = story(tenant, "SN-1")
    assert not told.is_eligible
    assert told.asset is None
    assert {record.manufacturer for record in told.records} == {"Dell Inc.", "LENOVO"}
    assert "serial_collision" in told.verdict
    assert "LENOVO" in "\n".join(told.lines())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"managedDeviceOwnerType": "unknown"}, "ownership_unknown"),
        ({"model": "OptiPlex 7010"}, "desktop"),
        ({"operatingSystem": "tvOS"}, "unknown_type"),
    ],
)
def test_a_skipped_device_says_its_reason(tenant: Tenant, record: dict[str, str], reason: str) -> None:
    tenant.sync([device("d1", "SN-1", **record)])
    told = story(tenant, "SN-1")
    assert f"skipped ({reason})" in told.verdict
    assert told.asset is None


def test_what_nobody_knows_and_what_only_a_person_entered(tenant: Tenant) -> None:
    assert story(tenant, "SN-9").verdict.startswith("unknown")
    tenant.add_asset("SN-8", notes="from the import")
    told = story(tenant, "sn-8")
    assert "no sync has seen" in told.verdict
    assert told.asset is not None
    assert told.asset.created_by_run is None
    assert told.asset.fields["notes"] == "from the import"


def test_a_device_that_left_intune_says_since_when(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True, lifecycle_max_share=1)
    tenant.sync([device("d1", "SN-1")])
    tenant.later(days=1)
    tenant.sync([])
    assert "absent from the last 1 list" in story(tenant, "SN-1").verdict
    tenant.later(days=1)
    tenant.sync([])
    told = story(tenant, "SN-1")
    assert told.verdict.startswith("gone from Intune since")
    assert told.changes[0].reason is not None
    assert "gone from Intune" in told.changes[0].reason


def test_held_ends_and_held_assignees_are_told(tenant: Tenant) -> None:
    tenant.set(hold_lookalike_employees=True, mdm_assignee_updates=True)
    tenant.add_employee("Jane", "Doe", "jane@home.example", kind="personal")
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    assert "jane.doe@acme.example" in story(tenant, "SN-1").waiting[0]
    for _ in range(2):
        tenant.later(days=1)
        tenant.sync([])
    assert any("end is held" in sentence for sentence in story(tenant, "SN-1").waiting)


def test_a_bypass_code_is_never_told_but_who_looked_at_it_is(tenant: Tenant) -> None:
    token = "gAAAA-some-ciphertext"
    tenant.add_asset("SN-1", activation_lock_bypass_code=token)
    tenant.run(
        "insert into audit_log (account_id, actor, action, subject, reason) "
        "values (:account, 'operator:ann', 'reveal', 'sn-1', 'locked out')"
    )
    told = story(tenant, "SN-1")
    assert told.asset is not None
    assert told.asset.has_bypass_code
    assert token not in orjson.dumps(told.as_dict()).decode() + "\n".join(told.lines()) + repr(told)
    assert told.reveals[0].actor == "operator:ann"
    assert "locked out" in "\n".join(told.lines())


def test_the_story_is_plain_json(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    told = story(tenant, "SN-1")
    assert orjson.loads(orjson.dumps(told.as_dict())) == told.as_dict() | {
        name: list(told.as_dict()[name]) for name in ("records", "changes", "kept", "waiting", "reveals")
    }


def test_an_unknown_account_is_said_so(tenant: Tenant) -> None:
    with tenant.engine.connect() as db, pytest.raises(UnknownAccountError):
        why(db, "acmee", "SN-1")


def test_every_value_says_who_set_it(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example", osVersion="1")])
    first = story(tenant, "SN-1")
    assert {source.by for source in first.sources.values()} == {"Intune, sync 1"}
    tenant.run("set local allwhere.actor = 'ann@acme.example'; update assets set status = 'locked', location = 'Oslo'")
    tenant.run("update assets set notes = 'scratched'")
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example", osVersion="2")])
    with tenant.engine.begin() as db:
        kept_values.lock(db, "acme", "SN-1", "os_version", actor="bob@acme.example")
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example", osVersion="3")])
    told = story(tenant, "SN-1")
    by = {field: source.by for field, source in told.sources.items()}
    assert (by["status"], by["location"], by["notes"]) == ("ann@acme.example", "ann@acme.example", "a person")
    assert (by["os_version"], by["model"]) == ("Intune, sync 2", "Intune, sync 1")
    text = "\n".join(told.lines())
    assert "os_version: locked by bob@acme.example" in text
    assert "Intune says 3" in text
