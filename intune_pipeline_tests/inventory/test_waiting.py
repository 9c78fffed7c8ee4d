"""Who and what waits: counted, searched, filtered and paged; and what came meanwhile."""

from datetime import datetime

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import EmployeeHoldKind, LookalikeGrade
from intune_pipeline.inventory import duplicates, held, holds, waiting
from intune_pipeline.inventory.waiting import PeopleQuery
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    """Twelve look-alikes of Ann Berg, a third of them surely, and a room; one of them has a device."""
    tenant = Tenant.connected(engine, "acme")
    ann = tenant.add_employee("Ann", "Berg", "ann@home.example", kind="personal")
    tenant.run(
        """
        insert into employee_holds (connection_id, email, first_name, last_name, lookalike_id, grade)
        select :connection, 'p' || n || '@acme.example', 'Ann', 'Berg' || lpad(n::text, 2, '0'), :ann,
               case when n % 3 = 0 then 'surely' else 'probably' end
        from generate_series(1, 12) n
        """,
        ann=ann,
    )
    tenant.run(
        """
        insert into employee_holds (connection_id, email, display_name, kind, reason)
        values (:connection, 'room@acme.example', 'Room 1', 'shared', 'is named like a room')
        """
    )
    return tenant


def emails(tenant: Tenant, query: PeopleQuery, *, limit: int = 50, offset: int = 0) -> list[str]:
    with tenant.engine.connect() as db:
        return [one.email for one in waiting.people(db, "acme", query, limit=limit, offset=offset)]


def test_pages_follow_each_other_without_gap_or_overlap_the_surest_first(tenant: Tenant) -> None:
    everybody = emails(tenant, PeopleQuery())
    assert everybody[:4] == [f"p{n}@acme.example" for n in (3, 6, 9, 12)]
    assert len(set(everybody)) == 12
    assert [one for offset in (0, 5, 10) for one in emails(tenant, PeopleQuery(), limit=5, offset=offset)] == everybody


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (PeopleQuery(search="berg07"), 1),
        (PeopleQuery(search="P7@ACME"), 1),
        (PeopleQuery(search="home.example"), 12),
        (PeopleQuery(search="_"), 0),
        (PeopleQuery(grade=LookalikeGrade.SURELY), 4),
        (PeopleQuery(search="berg1", grade=LookalikeGrade.SURELY), 1),
        (PeopleQuery(kind=EmployeeHoldKind.SHARED), 1),
        (PeopleQuery(kind=EmployeeHoldKind.SHARED, search="room 1"), 1),
    ],
)
def test_page_ids_and_counts_agree(tenant: Tenant, query: PeopleQuery, found: int) -> None:
    with tenant.engine.connect() as db:
        ids = waiting.people_ids(db, "acme", query)
        by_grade = waiting.people_by_grade(db, "acme", query)
        assert {one.id for one in waiting.people(db, "acme", query, limit=50)} == set(ids)
    assert len(ids) == found
    assert (by_grade.get(query.grade, 0) if query.grade else sum(by_grade.values())) == found


def test_what_is_known_of_a_person_comes_with_them(engine: sa.Engine) -> None:
    tenant = Tenant.connected(engine, "acme", hold_lookalike_employees=True)
    tenant.add_employee("Robert", "Mueller", "bob@home.example", kind="personal")
    tenant.sync([device("d1", user="robert.mueller@acme.example", name="Robert Mueller", model="Latitude 5440")])
    with tenant.engine.connect() as db:
        (one,) = waiting.people(db, "acme", PeopleQuery(), limit=5)
        assert waiting.counts(db, "acme") == waiting.Counts(1, 0, 0)
    assert (one.shown, one.lookalike, one.lookalike_emails) == (
        "Robert Mueller",
        "Robert Mueller",
        ["bob@home.example"],
    )
    assert one.devices == 1
    assert "Latitude 5440" in one.models[0]
    assert one.has_name


def test_changed_since_tells_of_syncs_and_of_what_was_taken_back(tenant: Tenant) -> None:
    def changed(since: datetime) -> bool:
        with tenant.engine.connect() as db:
            return waiting.changed_since(db, "acme", since)

    with tenant.engine.connect() as db:
        began = db.execute(sa.text("select clock_timestamp()")).scalar_one()
    assert not changed(began)
    with tenant.engine.begin() as db:
        holds.decide_employees(db, "acme", None, "skip", decided_by="ann")
    assert not changed(began), "deciding lets nothing new wait"
    with tenant.engine.begin() as db:
        holds.undo_decision(db, "acme", held.decisions(db, "acme")[0].id, undone_by="ann")
    assert changed(began)
    with tenant.engine.connect() as db:
        later = db.execute(sa.text("select clock_timestamp()")).scalar_one()
    assert not changed(later)
    tenant.sync([device("d1")])
    assert changed(later)


def test_a_fingerprint_is_that_of_the_set() -> None:
    assert waiting.fingerprint([1, 2, 3]) == waiting.fingerprint(["3", "1", "2"])
    assert waiting.fingerprint([1, 23]) != waiting.fingerprint([12, 3])


def test_that_two_are_different_can_be_taken_back_and_the_state_tells(engine: sa.Engine) -> None:
    tenant = Tenant.connected(engine, "acme")
    robert = tenant.add_employee("Robert", "Mueller", "robert.mueller@acme.example")
    bob = tenant.add_employee("Bob", "Mueller", "bob@home.example", kind="personal")
    states = []
    for step in (
        lambda _: None,
        lambda db: duplicates.declare_different(db, "acme", bob, robert, actor="ann"),
        lambda db: duplicates.take_back_different(db, "acme", bob, robert, actor="ann"),
        lambda db: duplicates.merge(db, "acme", robert, bob, actor="ann"),
    ):
        with tenant.engine.begin() as db:
            step(db)
            states.append((duplicates.state(db, "acme"), len(duplicates.duplicates(db, "acme"))))
            told = duplicates.declared_different(db, "acme", 5), duplicates.merged(db, "acme", 5)
    assert [pairs for _, pairs in states] == [1, 0, 1, 0]
    assert states[0] == states[2]
    assert len({state for state, _ in states}) == 3
    assert [len(one) for one in told] == [0, 1]
    assert (told[1][0].name, told[1][0].other_name, told[1][0].by) == ("Robert Mueller", "Bob Mueller", "ann")
