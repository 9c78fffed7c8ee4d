"""Who somebody is outlives an e-mail: Entra's user id and principal name stand for an employee."""

from typing import Any

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme", mdm_assignee_updates=True)


def jane(
    device_id: str, email: str, principal_name: str, name: str, user_id: str = "U-1", **more: Any
) -> ManagedDevice:
    return device(
        device_id, userId=user_id, emailAddress=email, userPrincipalName=principal_name, userDisplayName=name, **more
    )


def people(tenant: Tenant) -> list[tuple[str, str]]:
    found = tenant.rows("select first_name, last_name from employees where account_id = :account order by id")
    return [(row["first_name"], row["last_name"]) for row in found]


def addresses(tenant: Tenant) -> set[str]:
    return {row["email"] for row in tenant.rows("select email from employee_emails where account_id = :account")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("jane.smith@acme.example", "jane.smith@acme.example"), ("jane.doe@acme.example", "jane.doe@acme.example")),
        (("jane.smith@acme.example", "js123@acme.example"), ("jane.doe@acme.example", "js123@acme.example")),
    ],
)
def test_somebody_who_marries_stays_one_employee_with_both_addresses(
    tenant: Tenant, before: tuple[str, str], after: tuple[str, str]
) -> None:
    tenant.sync([jane("d1", *before, "Jane Smith")])
    holder = tenant.asset("SN-d1")["assignee_id"]
    married = [jane("d1", *after, "Jane Doe"), jane("d2", *after, "Jane Doe")]
    tenant.later(hours=24)
    planned = tenant.plan(married)
    counts = tenant.sync(married)
    assert counts == planned.counts
    assert (counts.employees_created, counts.assignees_changed) == (0, 0)
    assert people(tenant) == [("Jane", "Smith")]
    assert {asset["assignee_id"] for asset in tenant.assets().values()} == {holder}
    assert {"jane.smith@acme.example", "jane.doe@acme.example"} <= addresses(tenant)
    assert [row["subject"] for row in tenant.rows("select subject from audit_log where action = 'address'")] == [
        "jane.doe@acme.example"
    ]
    versions = tenant.rows("select xmin::text from known_users union all select xmin::text from employee_emails")
    tenant.sync(married)
    assert (
        tenant.rows("select xmin::text from known_users union all select xmin::text from employee_emails") == versions
    )


def test_an_account_given_to_somebody_else_waits_for_a_decision(tenant: Tenant) -> None:
    tenant.sync([jane("d1", "jane.smith@acme.example", "desk7@acme.example", "Jane Smith")])
    new = [jane("d1", "omar.haddad@acme.example", "desk7@acme.example", "Omar Haddad")]
    tenant.later(hours=24)
    tenant.sync(new)
    assert people(tenant) == [("Jane", "Smith")]
    [hold] = tenant.rows("select email, reason, decision from employee_holds")
    assert (hold["email"], hold["decision"]) == ("omar.haddad@acme.example", "waiting")
    assert "the name is another" in hold["reason"]
    tenant.run("update employee_holds set decision = 'created'")
    tenant.later(hours=24)
    tenant.sync(new)
    assert people(tenant) == [("Jane", "Smith"), ("Omar", "Haddad")]


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ("jane.doe@müller.example", "jane.doe@xn--mller-kva.example"),
        ("jane.doe@xn--mller-kva.example", "jane.doe@müller.example"),
    ],
)
def test_both_spellings_of_an_internationalised_domain_are_one_address(tenant: Tenant, known: str, shown: str) -> None:
    employee = tenant.add_employee("Jane", "Doe", known)
    tenant.sync([jane("d1", shown, shown, "Jane Doe")])
    assert tenant.asset("SN-d1")["assignee_id"] == employee
    assert addresses(tenant) == {known}


def test_the_same_user_id_in_another_account_says_nothing_here(tenant: Tenant) -> None:
    Tenant.connected(tenant.engine, "globex").sync(
        [jane("d1", "j.s@globex.example", "j.s@globex.example", "Jane Smith")]
    )
    tenant.sync([jane("d1", "jane.doe@acme.example", "jane.doe@acme.example", "Jane Doe")])
    assert people(tenant) == [("Jane", "Doe")]
