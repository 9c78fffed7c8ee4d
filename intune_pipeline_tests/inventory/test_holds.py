"""Holds wait until a person decides, once."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import audit, holds
from intune_pipeline_tests.conftest import ConnectedAccount


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount], engine: sa.Engine) -> ConnectedAccount:
    """Three held employees: Ann and Bob look like somebody, Cid's look-alike is gone."""
    acme = connect_account()
    with engine.begin() as db:
        db.execute(
            sa.text("""
                insert into employees (account_id, first_name, last_name) values (:a, 'Ann', 'Lee'), (:a, 'Bob', 'May');
                insert into employee_emails (employee_id, account_id, email, kind)
                select id, account_id, lower(first_name) || '@home.example', 'personal' from employees;
                insert into employee_holds (connection_id, email, first_name, last_name, lookalike_id)
                select :c, lower(first_name) || '@acme.example', first_name, last_name, id from employees order by id;
                insert into employee_holds (connection_id, email, first_name, last_name) values (:c, 'cid@x.y', 'Cid', 'Orr');
                with asset as (insert into assets (account_id, serial_number) values (:a, 'S1') returning id)
                insert into held_assignments select h.id, asset.id from employee_holds h, asset where h.first_name = 'Ann'
            """),
            {"a": acme.account_id, "c": acme.connection_id},
        )
    return acme


def decisions(engine: sa.Engine) -> dict[str, str]:
    with engine.begin() as db:
        return {
            row.first_name: row.decision
            for row in db.execute(sa.text("select first_name, decision from employee_holds"))
        }


def test_held_employees_are_listed_beside_whom_they_look_like(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        waiting = holds.employees_waiting(db, "acme")
    assert [(hold.email, hold.lookalike) for hold in waiting] == [
        ("ann@acme.example", "Ann Lee (ann@home.example)"),
        ("bob@acme.example", "Bob May (bob@home.example)"),
        ("cid@x.y", None),
    ]


def test_one_is_decided_and_audited(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        ann = holds.employees_waiting(db, "acme")[0]
        assert holds.decide_employees(db, "acme", [ann.id], "link", decided_by="pia") == 1
        assert [(entry.subject, entry.details) for entry in audit.entries(db, "acme")] == [
            ("ann@acme.example", {"decision": "linked", "linked_to": "Ann Lee", "employee_id": 1})
        ]
        assert db.scalar(sa.text("select kind from employee_emails where email = 'ann@acme.example'")) == "work"
        with pytest.raises(holds.NothingWaitsError, match=f"no held employee {ann.id} waits"):
            holds.decide_employees(db, "acme", [ann.id], "skip", decided_by="pia")
    assert decisions(engine) == {"Ann": "linked", "Bob": "waiting", "Cid": "waiting"}


def test_all_are_decided_or_none(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        ids = [hold.id for hold in holds.employees_waiting(db, "acme")]
        with pytest.raises(holds.NothingWaitsError, match="was removed meanwhile; create or skip instead"):
            holds.decide_employees(db, "acme", ids, "link", decided_by="pia")
    assert set(decisions(engine).values()) == {"waiting"}
    with engine.begin() as db:
        assert holds.decide_employees(db, "acme", ids, "create", decided_by="pia") == 3
        assert holds.employees_waiting(db, "acme") == []
    assert set(decisions(engine).values()) == {"created"}


def test_other_accounts_decide_nothing(
    engine: sa.Engine, acme: ConnectedAccount, connect_account: Callable[..., ConnectedAccount]
) -> None:
    connect_account("globex")
    with engine.begin() as db:
        ids = [hold.id for hold in holds.employees_waiting(db, "acme")]
        assert holds.employees_waiting(db, "globex") == []
        with pytest.raises(holds.NothingWaitsError):
            holds.decide_employees(db, "globex", ids, "skip", decided_by="eve")


@pytest.mark.parametrize("decision", ["released", "dropped"])
def test_lifecycle_ends_are_decided_once(engine: sa.Engine, acme: ConnectedAccount, decision: str) -> None:
    with engine.begin() as db:
        db.execute(
            sa.text("""insert into lifecycle_holds (connection_id, intune_device_ids, reason)
                       values (:c, '["d1", "d2"]', '2 of 10 devices would end.')"""),
            {"c": acme.connection_id},
        )
        assert [hold.intune_device_ids for hold in holds.lifecycle_waiting(db, "acme")] == [["d1", "d2"]]
        assert holds.decide_lifecycle(db, "acme", decision, decided_by="pia") == 2
        assert holds.lifecycle_waiting(db, "acme") == []
        with pytest.raises(holds.NothingWaitsError, match="no lifecycle ends wait"):
            holds.decide_lifecycle(db, "acme", decision, decided_by="pia")
        assert audit.entries(db, "acme")[0].details == {
            "decision": decision,
            "intune_device_ids": ["d1", "d2"],
        }
