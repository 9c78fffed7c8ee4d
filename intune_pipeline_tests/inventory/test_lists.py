"""Lists by modified_after miss nothing that is committed late, whatever the clocks say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import ChangedEntity
from intune_pipeline.inventory import change_feed, lists
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme")


def listed(
    tenant: Tenant, since: datetime | None = None, entity: ChangedEntity = ChangedEntity.ASSET, limit: int = 100
) -> tuple[list[dict[str, Any]], datetime]:
    """Every page, and the as_of of the first one."""
    rows: list[dict[str, Any]] = []
    first, after = None, 0
    while True:
        with tenant.engine.connect() as db:
            page = lists.page(db, tenant.account_id, entity, modified_after=since, after=after, limit=limit)
        first = first or page.as_of
        rows += page.rows
        if page.next_after is None:
            return rows, first
        after = page.next_after


def mark(tenant: Tenant) -> None:
    """As the portal does every half minute."""
    tenant.run("delete from feed_marks")
    with tenant.engine.begin() as db:
        assert change_feed.mark(db)
        assert not change_feed.mark(db), "the next is due half a minute later"


def serials(rows: list[dict[str, Any]]) -> list[str]:
    return [row["serial_number"] for row in rows]


def test_all_are_listed_in_pages_of_any_size(tenant: Tenant) -> None:
    other = Tenant.connected(tenant.engine, "globex")
    other.add_asset("SN-X")
    for number in range(7):
        tenant.add_asset(f"SN-{number}")
    for limit in (1, 3, 7, 100):
        assert serials(listed(tenant, limit=limit)[0]) == [f"SN-{number}" for number in range(7)]
    assert not {"serial_key", "account_id", "activation_lock_bypass_code"} & listed(tenant)[0][0].keys()


def test_what_changed_since_is_listed(tenant: Tenant) -> None:
    tenant.add_asset("SN-1")
    tenant.add_asset("SN-2")
    holder = tenant.add_employee("Bo", "Ek", "bo.ek@acme.example")
    tenant.add_employee("Ida", "Ask", "ida.ask@acme.example")
    tenant.wait_for_feed()
    mark(tenant)
    _, since = listed(tenant)
    assert listed(tenant, since)[0] == []
    assert listed(tenant, since, ChangedEntity.EMPLOYEE)[0] == []
    tenant.run("update assets set notes = 'x' where serial_number = 'SN-2'")
    tenant.run("update employee_emails set email = 'b@acme.example' where employee_id = :holder", holder=holder)
    assert serials(listed(tenant, since)[0]) == ["SN-2"]
    assert [one["id"] for one in listed(tenant, since, ChangedEntity.EMPLOYEE)[0]] == [holder]


def test_a_change_that_is_committed_after_the_list_is_in_the_next_one(tenant: Tenant) -> None:
    """Its transaction began, and took its time, before."""
    late_one = tenant.add_asset("SN-1")
    tenant.add_asset("SN-2")
    with tenant.engine.connect() as late:
        late.execute(sa.text("update assets set notes = 'late', updated_at = now() where id = :id"), {"id": late_one})
        mark(tenant)
        seen, since = listed(tenant)
        assert [one["notes"] for one in seen] == [None, None]
        late.commit()
    assert next(one["notes"] for one in listed(tenant, since)[0] if one["id"] == late_one) == "late"
    assert tenant.asset("SN-1")["updated_at"] < since, "its time alone would have hidden it"


def test_the_newest_time_of_the_copy_does_as_well(tenant: Tenant) -> None:
    """Simple clients remember the highest updated_at they have seen."""
    late_one = tenant.add_asset("SN-1")
    mark(tenant)
    with tenant.engine.connect() as late:
        late.execute(sa.text("update assets set notes = 'late', updated_at = now() where id = :id"), {"id": late_one})
        tenant.add_asset("SN-2")
        highest = max(datetime.fromisoformat(one["updated_at"]) for one in listed(tenant)[0])
        late.commit()
    assert "SN-1" in serials(listed(tenant, highest)[0])


def test_without_a_mark_too_much_is_listed_rather_than_too_little(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    assert serials(listed(tenant, datetime.now(UTC) + timedelta(days=1))[0]) == ["SN-1"]


def test_old_marks_go_with_the_events(tenant: Tenant) -> None:
    tenant.run("insert into feed_marks values (now() - interval '91 days', 1), (now(), 2)")
    with tenant.engine.begin() as db:
        change_feed.delete_old(db)
    assert [row["horizon"] for row in tenant.rows("select horizon from feed_marks")] == [2]
