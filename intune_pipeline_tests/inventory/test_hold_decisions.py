"""Decisions about a part of what waits: taken once, applied by the next sync, taken back until then, shown ever after."""

import importlib
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import Trigger
from intune_pipeline.inventory import audit, database, erasures, held, holds, sync_locks, sync_requests
from intune_pipeline.inventory.holds import CannotUndoError, NothingWaitsError
from intune_pipeline.inventory.reconciliation import DecisionUndoneError, apply
from intune_pipeline_tests.syncing import Tenant, device

MANY = 3_000
FLEET = [
    device(f"d{n:02}", user=f"ann.k{chr(97 + n)}l@acme.example", model="Latitude 5440" if n < 15 else "XPS 13")
    for n in range(20)
]


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    """Ten of twenty devices left Intune at once; their ends wait."""
    tenant = Tenant.connected(engine, "acme", mdm_assignee_updates=True)
    tenant.sync(FLEET)
    for _ in range(2):
        tenant.later(days=1)
        tenant.sync(FLEET[10:])
    return tenant


@pytest.fixture
def crowd(engine: sa.Engine) -> Tenant:
    """3,000 look-alikes and 3,000 devices that wait."""
    tenant = Tenant.connected(engine, "acme")
    tenant.run(
        """
        insert into employee_holds (connection_id, email, first_name, last_name)
        select :connection, 'p' || n || '@acme.example', 'Ann', 'Berg' || n from generate_series(1, :many) n
        """,
        many=MANY,
    )
    tenant.run(
        """
        insert into lifecycle_holds (connection_id, intune_device_ids, reason)
        select :connection, jsonb_agg('d' || n), 'Many at once.' from generate_series(1, :many) n
        """,
        many=MANY,
    )
    return tenant


def decide(tenant: Tenant, decision: str = "released", *, by: str = "pia", **part: object) -> int:
    with tenant.engine.begin() as db:
        return holds.decide_lifecycle(db, "acme", decision, decided_by=by, **part)


def undo(tenant: Tenant, decision_id: int) -> int:
    with tenant.engine.begin() as db:
        return holds.undo_decision(db, "acme", decision_id, undone_by="bo")


def waiting(tenant: Tenant, search: str = "") -> list[str]:
    with tenant.engine.connect() as db:
        return [one.intune_device_id for one in held.devices(db, "acme", search)]


def decided(tenant: Tenant) -> list[held.Decision]:
    with tenant.engine.connect() as db:
        return held.decisions(db, "acme")


def statuses(tenant: Tenant) -> Counter[str]:
    return Counter(asset["status"] for asset in tenant.assets().values())


# -- lifecycle ends --------------------------------------------------------------------------------------------------


def test_held_devices_are_listed_with_what_is_known_of_them(tenant: Tenant) -> None:
    with tenant.engine.connect() as db:
        first, *others = held.devices(db, "acme")
    assert len(others) == 9
    assert (first.intune_device_id, first.serial_number, first.device_name) == ("d00", "SN-d00", "PC-d00")
    assert first.assignee == "Ann Kal (ann.kal@acme.example)"
    assert first.last_contact_at is not None
    assert first.absent_since is not None
    with tenant.engine.connect() as db:
        assert [one.intune_device_id for one in held.devices(db, "acme", limit=2, offset=3)] == ["d03", "d04"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("sn-d03", ["d03"]),
        ("sn- d03", ["d03"]),
        ("ann.kcl", ["d02"]),
        ("Ann Kcl", ["d02"]),
        ("xps", []),
        ("%", []),
        ("_", []),
    ],
)
def test_held_devices_are_searched_by_text(tenant: Tenant, search: str, found: list[str]) -> None:
    assert waiting(tenant, search) == found
    if found:
        assert decide(tenant, search=search) == 1
        assert len(waiting(tenant)) == 9
    else:
        with pytest.raises(NothingWaitsError, match="no device waits that was looked for"):
            decide(tenant, search=search)


def test_the_next_sync_applies_a_part_and_the_rest_goes_on_waiting(tenant: Tenant) -> None:
    assert decide(tenant, device_ids=["d00", "d01", "d02"]) == 3
    assert decide(tenant, "dropped", device_ids=["d03"]) == 1
    assert tenant.sync(FLEET[10:]).lifecycle_transitions == 3
    assert statuses(tenant) == {"transferred": 3, "allocated": 17}
    assert waiting(tenant) == [f"d{n:02}" for n in range(4, 10)]
    run = tenant.rows("select max(id) as id from sync_runs")[0]["id"]
    dropped, released = decided(tenant)
    assert (dropped.applied_run_id, released.applied_run_id) == (run, run)
    assert released.outcome == f"run {run}: all ended"
    assert dropped.outcome == f"run {run}: 1 stay as they are while they are away"
    decide(tenant)
    assert tenant.sync(FLEET[10:]).lifecycle_transitions == 6
    assert statuses(tenant) == {"transferred": 9, "allocated": 11}


def test_what_is_decided_twice_or_does_not_wait_is_refused_whole(tenant: Tenant) -> None:
    decide(tenant, device_ids=["d00"])
    with pytest.raises(NothingWaitsError, match="the end of d00 does not wait"):
        decide(tenant, "dropped", device_ids=["d00", "d01"])
    assert len(waiting(tenant)) == 9
    assert [one.decision for one in decided(tenant)] == ["released"]


def test_what_is_decided_while_a_sync_plans_does_not_wait_again(tenant: Tenant) -> None:
    tenant.later(days=1)
    tenant.sync(FLEET[10:], before_apply=lambda _: decide(tenant, device_ids=["d00", "d01"]))
    assert waiting(tenant) == [f"d{n:02}" for n in range(2, 10)]
    assert decided(tenant)[0].can_be_undone, "this sync planned without it"
    tenant.sync(FLEET[10:], before_apply=lambda _: decide(tenant))
    assert statuses(tenant) == {"transferred": 2, "allocated": 18}
    assert waiting(tenant) == []
    tenant.sync(FLEET[10:])
    assert statuses(tenant) == {"transferred": 10, "allocated": 10}


def test_a_decision_is_taken_back_until_a_sync_takes_it_up(tenant: Tenant) -> None:
    before = waiting(tenant)
    decide(tenant, device_ids=["d05", "d00"])
    decide(tenant, "dropped")
    assert waiting(tenant) == []
    rest, part = decided(tenant)
    assert (undo(tenant, part.id), waiting(tenant)) == (2, ["d00", "d05"])
    assert (undo(tenant, rest.id), waiting(tenant)) == (8, before)
    with pytest.raises(CannotUndoError, match="taken back by bo already"):
        undo(tenant, part.id)
    assert [one.outcome for one in decided(tenant)] == ["taken back by bo"] * 2
    tenant.sync(FLEET[10:])
    assert statuses(tenant) == {"allocated": 20}

    decide(tenant, device_ids=["d00"])
    tenant.sync(FLEET[10:])
    with pytest.raises(CannotUndoError, match="has taken decision"):
        undo(tenant, decided(tenant)[0].id)
    with tenant.engine.connect() as db:
        assert [one.action for one in audit.entries(db, "acme")][-4:] == ["undo", "undo", "release", "release"]
        assert audit.broken(db) == []


def test_what_a_failed_sync_took_up_is_taken_up_again(tenant: Tenant) -> None:
    class StoppedError(Exception):
        pass

    def stop(db: object, counts: object) -> None:
        raise StoppedError

    decide(tenant, device_ids=["d00"])
    run = tenant.open_run()
    with pytest.raises(StoppedError):
        apply(tenant.engine, tenant.plan(FLEET[10:]), run, finish=stop)
    assert decided(tenant)[0].can_be_undone, "its only batch was rolled back"
    tenant.run("update hold_decisions set applied_run_id = :run", run=run)
    tenant.run("update sync_runs set status = 'failed', finished_at = now() where id = :run", run=run)
    tenant.sync(FLEET[10:])
    assert decided(tenant)[0].applied_run_id == run + 1


def test_a_decision_taken_back_between_plan_and_first_batch_stops_the_sync_before_it_writes(tenant: Tenant) -> None:
    decide(tenant)
    before = tenant.assets()
    with pytest.raises(DecisionUndoneError) as stopped:
        tenant.sync(FLEET[10:], before_apply=lambda _: undo(tenant, decided(tenant)[0].id))
    assert str(stopped.value) == (
        "A decision about held people or devices was taken back while this sync began, so it stopped before it wrote "
        "anything; sync again."
    )
    assert tenant.assets() == before
    assert len(waiting(tenant)) == 10


def test_nothing_is_taken_back_while_a_sync_runs(tenant: Tenant) -> None:
    decide(tenant)
    with (
        sync_locks.locked(tenant.engine, tenant.connection_id),
        pytest.raises(CannotUndoError, match="wait for its end"),
    ):
        undo(tenant, decided(tenant)[0].id)
    assert undo(tenant, decided(tenant)[0].id) == 10


def test_a_decision_may_start_a_sync_past_the_debounce(tenant: Tenant) -> None:
    with tenant.engine.begin() as db:
        first = sync_requests.request(db, tenant.connection_id, requested_by="pia", debounce=timedelta(minutes=30))
        assert first.request_id
        sync_requests.mark_finished(db, first.request_id)
    decide(tenant)
    with tenant.engine.begin() as db:
        answer = holds.sync_now(db, "acme", requested_by="pia", trigger=Trigger.MANUAL)
    assert answer.outcome == "accepted"


def test_another_accounts_decisions_are_not_seen_nor_undone(tenant: Tenant, engine: sa.Engine) -> None:
    Tenant.connected(engine, "globex")
    decide(tenant)
    with engine.begin() as db:
        assert held.decisions(db, "globex") == []
        assert held.devices(db, "globex") == []
        with pytest.raises(CannotUndoError, match="there is no decision"):
            holds.undo_decision(db, "globex", decided(tenant)[0].id, undone_by="eve")


# -- people ----------------------------------------------------------------------------------------------------------

PEOPLE = [("Jane", "Doe"), ("Joan", "Roe"), ("Mary", "Poe")]
USERS = [device(f"u{n}", user=f"{first}.{last}@acme.example".lower()) for n, (first, last) in enumerate(PEOPLE)]
USERS.append(device("u9", user="reception@acme.example", userDisplayName="Reception"))


@pytest.fixture
def shielded(engine: sa.Engine) -> Tenant:
    """Three look-alikes and a shared account wait."""
    tenant = Tenant.connected(engine, "acme", hold_lookalike_employees=True)
    for first, last in PEOPLE:
        tenant.add_employee(first, last, f"{first}@home.example", kind="personal")
    tenant.sync(USERS)
    return tenant


def decide_people(tenant: Tenant, decision: str, *, search: str = "") -> int:
    with tenant.engine.begin() as db:
        return holds.decide_employees(db, "acme", None, decision, decided_by="pia", search=search)


def people(tenant: Tenant, search: str = "") -> list[str]:
    with tenant.engine.connect() as db:
        return [one.email.partition("@")[0] for one in holds.employees_waiting(db, "acme", search)]


def test_people_are_decided_about_by_a_search_or_all_of_whom_it_can_be_decided(shielded: Tenant) -> None:
    assert people(shielded, "JOAN@HOME") == ["joan.roe"]
    assert decide_people(shielded, "skip", search="joan@home") == 1
    assert decide_people(shielded, "link") == 2
    assert people(shielded) == ["reception"], "it looks like nobody, so that it is not linked"
    with pytest.raises(NothingWaitsError, match="could be decided about so"):
        decide_people(shielded, "link")
    shielded.sync(USERS)
    linked, skipped = decided(shielded)
    assert (linked.size, linked.done, skipped.size, skipped.done) == (2, 2, 1, 0)
    assert linked.outcome.endswith("2 of 2 are known by this address")
    assert skipped.outcome.endswith("1 are nobody's employees")
    assert len(shielded.rows("select * from employees")) == 3


@pytest.mark.parametrize("decision", ["link", "create", "skip"])
def test_a_decision_about_people_leaves_nothing_behind_when_it_is_taken_back(shielded: Tenant, decision: str) -> None:
    tables = ("employee_holds", "employee_emails", "employees", "held_assignments", "assets")
    before = {name: shielded.rows(f"select * from {name} order by 1, 2") for name in tables}  # noqa: S608 - constants
    size = decide_people(shielded, decision)
    assert undo(shielded, decided(shielded)[0].id) == size
    after = {name: shielded.rows(f"select * from {name} order by 1, 2") for name in tables}  # noqa: S608 - constants
    assert after == before
    shielded.sync(USERS)
    assert len(people(shielded)) == 4


def test_an_address_that_was_there_stays_when_a_link_is_taken_back(shielded: Tenant) -> None:
    shielded.run("""
        insert into employee_emails (employee_id, account_id, email)
        select id, account_id, 'Jane.Doe@acme.example' from employees where first_name = 'Jane'
    """)
    decide_people(shielded, "link")
    undo(shielded, decided(shielded)[0].id)
    assert shielded.rows("select email from employee_emails where kind = 'work'") == [
        {"email": "Jane.Doe@acme.example"}
    ]


def test_who_was_erased_meanwhile_does_not_wait_again(shielded: Tenant) -> None:
    decide_people(shielded, "skip")
    with shielded.engine.begin() as db:
        erasures.erase(db, "acme", "jane.doe@acme.example", actor="pia", reason="asked")
    assert undo(shielded, decided(shielded)[0].id) == 3
    assert "jane.doe" not in people(shielded)


# -- at once ---------------------------------------------------------------------------------------------------------


def at_once(*deeds: Callable[[], object]) -> list[BaseException]:
    """Do all at the same time; what was raised."""
    raised: list[BaseException] = []
    barrier = threading.Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> None:
        barrier.wait()
        try:
            deed()
        except NothingWaitsError as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_parts_of_one_hold_decided_at_once_are_each_decided_once(crowd: Tenant) -> None:
    """Two people go through 3,000 devices from both ends, thirty at a time, until they meet."""
    parts = [[f"d{n}" for n in range(start, start + 30)] for start in range(1, MANY, 30)]
    taken: dict[str, list[list[str]]] = {"ann": [], "bob": []}
    refused: list[list[str]] = []

    def go_through(name: str, decision: str, order: list[list[str]]) -> Callable[[], None]:
        def run() -> None:
            for part in order:
                try:
                    decide(crowd, decision, by=name, device_ids=part)
                except NothingWaitsError:
                    refused.append(part)
                else:
                    taken[name].append(part)

        return run

    at_once(go_through("ann", "released", parts), go_through("bob", "dropped", parts[::-1]))
    assert len(refused) == len(parts)
    assert sorted(taken["ann"] + taken["bob"]) == sorted(parts)
    assert min(map(len, taken.values())) > 0
    rows = crowd.rows("select decision, decided_by, intune_device_ids from lifecycle_holds")
    stored = Counter(one for row in rows for one in row["intune_device_ids"])
    assert len(stored) == sum(stored.values()) == MANY, "none twice, none lost"
    for row in rows:
        assert row["intune_device_ids"] in taken[row["decided_by"]]
    assert crowd.rows("select sum(size) from hold_decisions") == [{"sum": MANY}]


def test_overlapping_searches_and_undos_at_once_lose_nobody_and_decide_nobody_twice(crowd: Tenant) -> None:
    """Both search for overlapping halves of the same 3,000 people and devices, and take back what they decided first."""
    results: list[tuple[str, int]] = []

    def work(name: str, search: str, answer: str, end: str) -> Callable[[], None]:
        def run() -> None:
            with crowd.engine.begin() as db:
                results.append((name, holds.decide_employees(db, "acme", None, answer, decided_by=name, search=search)))
            decide(
                crowd,
                end,
                by=name,
                device_ids=[f"d{n}" for n in (range(1, 901) if name == "ann" else range(901, 1801))],
            )

        return run

    at_once(work("ann", "berg1", "create", "released"), work("bob", "1@acme", "skip", "dropped"))
    people_of = crowd.rows(
        "select decided_by, decision, count(*) from employee_holds group by 1, 2 order by decision desc"
    )
    by_name = {row["decided_by"]: row["count"] for row in people_of}
    assert dict(results) == {name: count for name, count in by_name.items() if name}
    found = {f"{n}" for n in range(1, MANY + 1) if str(n).startswith("1") or str(n).endswith("1")}
    assert by_name["ann"] + by_name["bob"] == len(found)
    assert by_name[None] == MANY - len(found)
    ends = {row["decided_by"]: len(row["intune_device_ids"]) for row in crowd.rows("select * from lifecycle_holds")}
    assert ends == {"ann": 900, "bob": 900, None: 1_200}

    last = decided(crowd)
    at_once(*[lambda one=one: undo(crowd, one.id) for one in last])
    assert crowd.rows("select count(*) from employee_holds where decision = 'waiting'") == [{"count": MANY}]
    assert len(waiting(crowd)) == MANY


# -- a database from before ------------------------------------------------------------------------------------------

BEFORE = """
    insert into accounts (slug) values ('acme');
    insert into connections (account_id, tenant_id, status, connected_at)
    select id, '0f2c1e5a-1234-5678-9abc-def012345678', 'connected', now() from accounts;
    insert into employees (account_id, first_name, last_name) select id, 'Jane', 'Doe' from accounts;
    insert into employee_emails (employee_id, account_id, email) select id, account_id, 'jane@acme.example' from employees;
    insert into sync_runs (connection_id, trigger, status, started_at, finished_at)
    select id, 'schedule', 'succeeded', '2026-03-02 04:00Z', '2026-03-02 04:10Z' from connections;
    insert into lifecycle_holds (connection_id, intune_device_ids, reason, decision, decided_by, decided_at)
    select id, '["d1", "d2"]'::jsonb, 'Many.', 'released', 'pia', timestamptz '2026-03-01 09:00Z' from connections
    union all select id, '["d3"]'::jsonb, 'Many.', 'waiting', null, null from connections;
    insert into employee_holds (connection_id, email, first_name, last_name, lookalike_id, decision, decided_by, decided_at)
    select c.id, v.email, 'Jane', 'Doe', e.id, v.decision, v.by, v.at
    from connections c, employees e, (values
        ('jane@acme.example', 'linked', 'pia', timestamptz '2026-03-02 09:00Z'),
        ('j.doe@acme.example', 'skipped', 'pia', timestamptz '2026-03-01 09:00Z'),
        ('j@acme.example', 'skipped', 'pia', timestamptz '2026-03-01 09:00Z'),
        ('jd@acme.example', 'waiting', null, null)) v (email, decision, by, at);
"""


def test_what_was_decided_before_the_upgrade_is_listed_and_what_no_sync_has_seen_can_be_taken_back(
    new_database: Callable[..., str],
) -> None:
    from alembic import command

    before = importlib.import_module("intune_pipeline.inventory.migrations.versions.0015_hold_decisions").down_revision
    engine = database.create_engine(new_database())
    with engine.begin() as db:
        config = database._config()
        config.attributes["connection"] = db
        command.upgrade(config, before)
        db.execute(sa.text(BEFORE))
    database.upgrade(engine)
    with engine.begin() as db:
        found = held.decisions(db, "acme")
        assert {(one.kind, one.decision, one.size, one.can_be_undone) for one in found} == {
            ("lifecycle", "released", 2, False),
            ("employees", "skipped", 2, False),
            ("employees", "linked", 1, True),
        }
        linked = next(one for one in found if one.can_be_undone)
        assert holds.undo_decision(db, "acme", linked.id, undone_by="pia") == 1
        assert db.scalar(sa.text("select count(*) from employee_emails")) == 0
        assert len(holds.employees_waiting(db, "acme")) == 2
        assert holds.lifecycle_waiting(db, "acme")[0].intune_device_ids == ["d3"]
    engine.dispose()
