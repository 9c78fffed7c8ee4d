"""``holds``: an operator decides about a part, sees it, takes it back, and has a sync apply what stands."""

import pytest
import sqlalchemy as sa

from intune_pipeline_tests.syncing import Tenant, device

FLEET = [device(f"d{n:02}", user=f"ann.k{chr(97 + n)}l@acme.example") for n in range(20)]


@pytest.fixture
def tenant(stores, engine: sa.Engine) -> Tenant:
    """Ten of twenty devices left at once; two look-alikes wait."""
    tenant = Tenant.connected(engine, "acme", mdm_assignee_updates=True, hold_lookalike_employees=True)
    for first, last in (("Jane", "Doe"), ("Joan", "Roe")):
        tenant.add_employee(first, last, f"{first}@home.example", kind="personal")
    fleet = [*FLEET, device("j1", user="jane.doe@acme.example"), device("j2", user="joan.roe@acme.example")]
    tenant.sync(fleet)
    for _ in range(2):
        tenant.later(days=1)
        tenant.sync(fleet[10:])
    return tenant


def listed(command, *more: str) -> tuple[list[str], list[str]]:
    found = command("holds", "list", "acme", "--json", *more).json()
    return [one["email"] for one in found["employees"]], [
        one["intune_device_id"] for one in found["lifecycle"]["devices"]
    ]


def test_a_part_is_decided_shown_and_taken_back(tenant, command):
    assert "SN-d03" in command("holds", "list", "acme").out
    assert listed(command, "--search", "sn-d03") == ([], ["d03"])
    released = command("holds", "release", "acme", "--device", "d00", "--device", "d01")
    assert released.out == "The ends of 2 devices are released; the next sync does it.\n"
    dropped = command("holds", "release", "acme", "--drop", "--search", "sn-d03", "--apply-now")
    assert dropped.out == "The end of 1 device is dropped; a sync was asked for.\n"
    assert command("holds", "decide", "acme", "link", "--search", "jane").out.startswith("1 held employees decided")
    assert command("holds", "decide", "acme", "skip", "--all").out.startswith("1 held employees decided")
    assert listed(command) == ([], [f"d{n:02}" for n in range(10) if n not in {0, 1, 3}])
    assert [row["status"] for row in tenant.rows("select status from sync_requests")] == ["pending"]

    decisions = command("holds", "decided", "acme", "--json").json()
    assert [(one["decision"], one["size"], one["outcome"]) for one in decisions] == [
        (decision, size, "the next sync takes it up")
        for decision, size in (("skipped", 1), ("linked", 1), ("dropped", 1), ("released", 2))
    ]
    for one in decisions:
        assert command("holds", "undo", "acme", str(one["id"])).status == 0
    assert "taken back" in command("holds", "decided", "acme").out
    assert listed(command) == (["jane.doe@acme.example", "joan.roe@acme.example"], [f"d{n:02}" for n in range(10)])
    again = command("holds", "undo", "acme", str(decisions[0]["id"]))
    assert (again.status, "already" in again.err) == (2, True)


@pytest.mark.parametrize(
    "wrong",
    [
        ("decide", "acme", "skip"),
        ("decide", "acme", "skip", "1", "--all"),
        ("decide", "acme", "skip", "1", "--search", "x"),
        ("release", "acme", "--device", "d00", "--search", "x"),
        ("release", "acme", "--device", "nobody"),
        ("undo", "acme", "999"),
        ("decided", "nobody"),
    ],
)
def test_wrong_use_decides_nothing(tenant, command, wrong):
    answer = command("holds", *wrong)
    assert answer.status == 2
    assert "Error" in answer.err
    assert tenant.rows("select * from hold_decisions") == []
