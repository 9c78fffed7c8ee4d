"""Employees who are one person are found, merged and brought back; those declared different are left in peace."""

import pytest
import sqlalchemy as sa

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import duplicates
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme")


def pairs(tenant: Tenant) -> list[tuple[int, int]]:
    with tenant.engine.connect() as db:
        return [(one.employee.id, one.other.id) for one in duplicates.duplicates(db, "acme")]


def curated(tenant: Tenant) -> list[list[dict[str, object]]]:
    return [
        tenant.rows("select id, first_name, last_name from employees where account_id = :account order by id"),
        tenant.rows("select email_key, employee_id from employee_emails where account_id = :account order by 1"),
        tenant.rows("select serial_number, assignee_id from assets where account_id = :account order by 1"),
    ]


def test_one_person_with_two_names_is_found_merged_and_brought_back(tenant: Tenant) -> None:
    robert = tenant.add_employee("Robert", "M\u00fcller", "robert.mueller@acme.example")
    bob = tenant.add_employee("Bob", "Mueller", "bob@home.example", kind="personal")
    tenant.add_employee("Zoe", "Quist", "zoe.quist@acme.example")
    tenant.add_asset("SN-1", status="allocated", assignee_id=bob)
    assert pairs(tenant) == [(robert, bob)]
    before = curated(tenant)
    with tenant.engine.begin() as db:
        assert duplicates.merge(db, "acme", robert, bob, actor="ann@acme.example") == 1
    assert tenant.asset("SN-1")["assignee_id"] == robert
    assert {row["employee_id"] for row in curated(tenant)[1]} == {robert, robert + 2}
    assert pairs(tenant) == []
    [change] = tenant.rows("select field, actor from asset_changes")
    assert change == {"field": "assignee_id", "actor": "ann@acme.example"}
    assert "merged" in {row["kind"] for row in tenant.rows("select kind from change_events")}
    tenant.sync([device("d1", "SN-2", "robert.mueller@acme.example")])
    tenant.run("delete from assets where serial_number = 'SN-2'")
    with tenant.engine.begin() as db:
        duplicates.unmerge(db, "acme", bob, actor="ann@acme.example")
    assert curated(tenant) == before
    with tenant.engine.begin() as db, pytest.raises(WrongUseError, match="was merged"):
        duplicates.unmerge(db, "acme", bob, actor="ann@acme.example")


def test_different_people_are_not_shown_again(tenant: Tenant) -> None:
    one = tenant.add_employee("Jon", "Smith", "jon.smith@acme.example")
    other = tenant.add_employee("John", "Smith", "john.smith@home.example", kind="personal")
    assert pairs(tenant) == [(one, other)]
    with tenant.engine.begin() as db:
        duplicates.declare_different(db, "acme", other, one, actor="ann@acme.example")
    assert pairs(tenant) == []


def test_who_is_not_there_cannot_be_merged(tenant: Tenant) -> None:
    one = tenant.add_employee("Jon", "Smith", "jon.smith@acme.example")
    stranger = Tenant.connected(tenant.engine, "globex").add_employee("Jon", "Smith", "jon.smith@globex.example")
    with tenant.engine.begin() as db:
        with pytest.raises(WrongUseError, match=f"no employee {stranger}"):
            duplicates.merge(db, "acme", one, stranger, actor="test")
        with pytest.raises(WrongUseError, match="two different"):
            duplicates.merge(db, "acme", one, one, actor="test")
