"""Endings and look-alikes through whole syncs: counted, held, decided by a person, applied by the next sync."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import holds
from intune_pipeline.inventory.holds import NothingWaitsError
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.syncing import Tenant, device

JANE = "jane.doe@acme.example"


@pytest.fixture
def tenant(engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]) -> Tenant:
    account = connect_account(mdm_assignee_updates=True)
    return Tenant(engine, account.connection_id, account.account_id)


FLEET = [device(f"d{n:02}", user=f"jane.k{chr(97 + n)}l@acme.example") for n in range(20)]


def leave(tenant: Tenant, *, days: int = 2, left: int = 1) -> None:
    """Sync without the first devices on the following days."""
    for _ in range(days):
        tenant.later(days=1)
        tenant.sync(FLEET[left:])


def test_a_device_proven_gone_hands_its_asset_off_with_the_reason_in_its_history(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    jane = tenant.asset("SN-d00")["assignee_id"]
    leave(tenant, days=1)
    assert tenant.asset("SN-d00")["status"] == "allocated"
    leave(tenant, days=1)

    asset = tenant.asset("SN-d00")
    assert (asset["status"], asset["assignee_id"]) == ("transferred", None)
    assert tenant.history("SN-d00") == [("status", "allocated", "transferred"), ("assignee_id", str(jane), None)]
    run = tenant.rows("select * from sync_runs order by id desc limit 1")[0]
    assert (run["lifecycle_transitions"], run["lifecycle_held"], run["assets_updated"]) == (1, 0, 1)


def test_the_plan_shows_an_ending_before_it_happens(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    leave(tenant, days=1)
    tenant.later(days=1)
    made = tenant.plan(FLEET[1:])
    jane = tenant.asset("SN-d00")["assignee_id"]
    assert made.changes() == [
        {
            "serial_number": "SN-d00",
            "action": "update",
            "fields": {"status": ["allocated", "transferred"], "assignee_id": [jane, None]},
        }
    ]
    assert tenant.sync(FLEET[1:]) == made.counts


@pytest.mark.parametrize("status", ["in_inventory", "locked", "retired", "disposed", "lost", "transferred"])
def test_an_asset_that_is_not_allocated_does_not_change_when_its_device_is_gone(tenant: Tenant, status: str) -> None:
    tenant.sync(FLEET)
    tenant.run("update assets set status = :status where serial_number = 'SN-d00'", status=status)
    before = tenant.asset("SN-d00")
    leave(tenant, days=3)
    assert tenant.asset("SN-d00") == before
    tenant.run("update assets set status = 'allocated' where serial_number = 'SN-d00'")
    leave(tenant, days=3)
    assert tenant.asset("SN-d00")["status"] == "allocated", "what a person allocates after the end stays"


def test_a_device_that_still_exists_or_of_which_graph_says_nothing_is_not_gone(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    tenant.intune.present, tenant.intune.silent = {"d00"}, {"d01"}
    leave(tenant, days=4, left=2)
    assert tenant.asset("SN-d00")["status"] == tenant.asset("SN-d01")["status"] == "allocated"


def test_a_list_cut_short_proves_nothing(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    for _ in range(4):
        tenant.later(days=1)
        tenant.sync(FLEET[19:], complete=False)
    assert {asset["status"] for asset in tenant.assets().values()} == {"allocated"}
    assert tenant.intune.asked == []


def test_with_the_switch_off_nothing_ends_and_turning_it_on_counts_from_then(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=False)
    tenant.sync(FLEET)
    leave(tenant, days=9)
    tenant.set(mdm_assignee_updates=True)
    leave(tenant, days=1)
    assert tenant.asset("SN-d00")["status"] == "allocated"
    leave(tenant, days=1)
    assert tenant.asset("SN-d00")["status"] == "transferred"


def test_a_device_that_comes_back_resumes(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    jane = tenant.asset("SN-d00")["assignee_id"]
    leave(tenant)
    tenant.sync(FLEET)
    asset = tenant.asset("SN-d00")
    assert (asset["status"], asset["assignee_id"]) == ("allocated", jane)
    outcome = tenant.outcomes()["d00"]
    assert (outcome["ended_at"], outcome["absent_lists"]) == (None, 0)


def test_a_device_that_enrols_anew_under_another_id_is_not_gone(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    for _ in range(3):
        tenant.later(days=1)
        tenant.sync([device("anew", "SN-d00", JANE), *FLEET[1:]])
    assert tenant.asset("SN-d00")["status"] == "allocated"
    assert tenant.asset("SN-d00")["intune_device_id"] == "anew"


def test_too_many_at_once_are_held_until_an_operator_releases_them(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    leave(tenant, left=10)
    assert {asset["status"] for asset in tenant.assets().values()} == {"allocated"}
    run = tenant.rows("select * from sync_runs order by id desc limit 1")[0]
    assert (run["lifecycle_transitions"], run["lifecycle_held"]) == (0, 10)
    with tenant.engine.begin() as db:
        (hold,) = holds.lifecycle_waiting(db, "acme")
        assert len(hold.intune_device_ids) == 10
        assert "10 of 20" in hold.reason
        assert holds.decide_lifecycle(db, "acme", "released", decided_by="ann") == 10
        with pytest.raises(NothingWaitsError):
            holds.decide_lifecycle(db, "acme", "released", decided_by="ann")
    # The clock of the tests stands in the past of the database's, which wrote down when it was decided.
    assert tenant.sync(FLEET[10:]).lifecycle_transitions == 10
    assert tenant.rows("select count(*) from assets where status = 'transferred'") == [{"count": 10}]


def test_dropped_endings_leave_the_assets_as_they_are(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    leave(tenant, left=10)
    with tenant.engine.begin() as db:
        holds.decide_lifecycle(db, "acme", "dropped", decided_by="ann")
    leave(tenant, days=3, left=10)
    assert {asset["status"] for asset in tenant.assets().values()} == {"allocated"}
    with tenant.engine.connect() as db:
        assert holds.lifecycle_waiting(db, "acme") == []


def test_a_hold_ends_by_itself_when_its_devices_are_back(tenant: Tenant) -> None:
    tenant.sync(FLEET)
    leave(tenant, left=10)
    tenant.sync(FLEET)
    assert tenant.rows("select * from lifecycle_holds") == []


# -- the duplicate shield --------------------------------------------------------------------------------------------


@pytest.fixture
def shielded(engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]) -> Tenant:
    account = connect_account(hold_lookalike_employees=True)
    tenant = Tenant(engine, account.connection_id, account.account_id)
    tenant.add_employee("Jane", "Doe", "jane@home.example", kind="personal")
    tenant.sync([device("d1", user=JANE), device("d2", user=JANE)])
    return tenant


def decide(tenant: Tenant, decision: str) -> None:
    with tenant.engine.begin() as db:
        (hold,) = holds.employees_waiting(db, "acme")
        holds.decide_employees(db, "acme", [hold.id], decision, decided_by="ann")


def test_a_lookalike_is_held_once_while_the_devices_sync_without_assignee(shielded: Tenant) -> None:
    with shielded.engine.connect() as db:
        (hold,) = holds.employees_waiting(db, "acme")
    assert (hold.email, hold.lookalike) == (JANE, "Jane Doe (jane@home.example)")
    assert {(asset["status"], asset["assignee_id"]) for asset in shielded.assets().values()} == {("allocated", None)}
    run = shielded.rows("select * from sync_runs")[0]
    assert (run["lookalikes_held"], run["employees_created"], run["devices_synced"]) == (1, 0, 2)


@pytest.mark.parametrize(("decision", "employees"), [("create", 2), ("link", 1)])
def test_what_was_decided_is_applied_by_the_next_sync(shielded: Tenant, decision: str, employees: int) -> None:
    decide(shielded, decision)
    counts = shielded.sync([device("d1", user=JANE), device("d2", user=JANE)])
    (assignee,) = {asset["assignee_id"] for asset in shielded.assets().values()}
    (owner,) = shielded.rows("select employee_id from employee_emails where email_key = :key", key=JANE)
    assert assignee == owner["employee_id"]
    assert len(shielded.rows("select * from employees")) == employees
    assert counts.assignees_changed == 2
    assert shielded.rows("select * from held_assignments") == []
    assert shielded.rows("select action, actor from audit_log") == [{"action": "release", "actor": "ann"}]


def test_a_skipped_person_is_neither_created_nor_assigned(shielded: Tenant) -> None:
    decide(shielded, "skip")
    for _ in range(2):
        shielded.sync([device("d1", user=JANE), device("d2", user=JANE)])
    assert {asset["assignee_id"] for asset in shielded.assets().values()} == {None}
    assert len(shielded.rows("select * from employees")) == 1


def test_an_assignment_a_person_made_meanwhile_stays(shielded: Tenant) -> None:
    bo = shielded.add_employee("Bo", "Ek", "bo.ek@acme.example")
    shielded.run("update assets set assignee_id = :bo where serial_number = 'SN-d1'", bo=bo)
    decide(shielded, "create")
    shielded.sync([device("d1", user=JANE), device("d2", user=JANE)])
    assert shielded.asset("SN-d1")["assignee_id"] == bo
    assert shielded.asset("SN-d2")["assignee_id"] not in {None, bo}


def test_a_hold_waits_for_its_decision_even_when_the_setting_is_turned_off(shielded: Tenant) -> None:
    shielded.set(hold_lookalike_employees=False)
    assert shielded.sync([device("d1", user=JANE), device("d3", user=JANE)]).employees_created == 0
    decide(shielded, "create")
    shielded.sync([device("d1", user=JANE), device("d3", user=JANE)])
    assert shielded.asset("SN-d3")["assignee_id"] is not None


def test_decisions_about_what_does_not_wait_are_refused_whole(shielded: Tenant) -> None:
    (hold,) = shielded.rows("select id from employee_holds")
    for wrong, decision in (([hold["id"], 999], "create"), ([999], "skip")):
        with shielded.engine.begin() as db, pytest.raises(NothingWaitsError, match="999"):
            holds.decide_employees(db, "acme", wrong, decision, decided_by="ann")
    shielded.run("delete from employee_emails")
    shielded.run("delete from employees")
    with shielded.engine.begin() as db, pytest.raises(NothingWaitsError, match="removed"):
        holds.decide_employees(db, "acme", [hold["id"]], "link", decided_by="ann")
    assert shielded.rows("select decision from employee_holds") == [{"decision": "waiting"}]


RECEPTION = [device("r1", user="reception@acme.example", userDisplayName="Reception Desk")]


def test_a_user_who_looks_like_a_shared_account_is_left_out_until_somebody_decides(tenant: Tenant) -> None:
    made = tenant.plan(RECEPTION)
    assert [step.shared_reason for step in made.shared_accounts] == [
        "looks like a shared account: “Reception” is a word for a desk or a reception"
    ]
    assert tenant.sync(RECEPTION) == made.counts
    assert (tenant.asset("SN-r1")["status"], tenant.asset("SN-r1")["assignee_id"]) == ("allocated", None)
    with tenant.engine.connect() as db:
        (hold,) = holds.employees_waiting(db, "acme")
    assert (hold.kind, hold.shown, hold.grade, hold.lookalike) == ("shared", "Reception Desk", None, None)
    assert hold.reason == "looks like a shared account: “Reception” is a word for a desk or a reception"
    assert tenant.sync(RECEPTION).employees_created == 0
    with tenant.engine.connect() as db:
        assert len(holds.employees_waiting(db, "acme")) == 1


@pytest.mark.parametrize(("decision", "created"), [("create", 1), ("skip", 0)])
def test_what_is_decided_about_a_shared_account_is_done_and_remembered(
    tenant: Tenant, decision: str, created: int
) -> None:
    tenant.sync(RECEPTION)
    with tenant.engine.begin() as db:
        (hold,) = holds.employees_waiting(db, "acme")
        holds.decide_employees(db, "acme", [hold.id], decision, decided_by="operator:test")
    assert tenant.plan(RECEPTION).counts.employees_created == created
    assert tenant.sync(RECEPTION).employees_created == created
    assert (tenant.asset("SN-r1")["assignee_id"] is not None) == bool(created)
    assert tenant.sync(RECEPTION).employees_created == 0
    with tenant.engine.connect() as db:
        assert holds.employees_waiting(db, "acme") == []


def test_nobody_is_created_whose_name_cannot_be_read(tenant: Tenant) -> None:
    tenant.sync([device("r1", user="reception@acme.example", userDisplayName="Reception")])
    with tenant.engine.begin() as db:
        (hold,) = holds.employees_waiting(db, "acme")
        with pytest.raises(NothingWaitsError, match="shows no first and last name for reception@acme"):
            holds.decide_employees(db, "acme", [hold.id], "create", decided_by="operator:test")


def test_a_persons_word_stands_while_intunes_user_is_the_one_known_then(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    bo = tenant.add_employee("Bo", "Ek", "bo.ek@acme.example")
    jane = device("d1", "SN-1", "jane.doe@acme.example")
    tenant.sync([jane])
    tenant.run("update assets set assignee_id = :bo", bo=bo)
    for _ in range(2):
        tenant.later(hours=24)
        tenant.sync([jane])
        assert tenant.asset("SN-1")["assignee_id"] == bo
    tenant.later(days=4000)
    tenant.sync([device("d1", "SN-1", "ann.lee@acme.example")])
    followed = tenant.asset("SN-1")
    assert followed["assignee_id"] != bo
    assert followed["assigned_by_person_at"] is None
    tenant.run("update assets set assignee_id = :bo", bo=bo)
    tenant.later(hours=24)
    tenant.sync([jane])
    assert tenant.asset("SN-1")["assignee_id"] not in {bo, followed["assignee_id"]}


def test_an_asset_nobody_assigned_by_hand_follows_intune(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    bo = tenant.add_employee("Bo", "Ek", "bo.ek@acme.example")
    tenant.add_asset("SN-1", status="allocated", assignee_id=bo)
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    assert tenant.asset("SN-1")["assignee_id"] != bo
