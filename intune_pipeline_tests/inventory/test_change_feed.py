"""The change feed tells every change at least once, in order, whenever its transactions commit."""

import random
from typing import Any

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import change_feed, duplicates, kept_values
from intune_pipeline.inventory.change_feed import BadCursorError, CursorExpiredError
from intune_pipeline.inventory.undo import undo
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme", mdm_assignee_updates=True)


def read(tenant: Tenant, cursor: str | None = None, limit: int = 1000) -> tuple[list[dict[str, Any]], str]:
    with tenant.engine.connect() as db:
        page = change_feed.read(db, tenant.account_id, cursor, limit=limit)
    return page.changes, page.cursor


def all_read(tenant: Tenant, cursor: str | None = None, limit: int = 1000) -> tuple[list[dict[str, Any]], str]:
    """A read that waits for the horizon: transactions of other databases of the same server hold it back too."""
    tenant.wait_for_feed()
    return read(tenant, cursor, limit)


def kinds(changes: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [(one["entity"], one["kind"], next(iter(one["fields"]), None)) for one in changes]


def test_what_syncs_and_people_do_is_told_in_order(tenant: Tenant) -> None:
    holder = tenant.add_employee("Bo", "Ek", "bo.ek@acme.example")
    _, cursor = all_read(tenant)
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example", osVersion="1")])
    changes, cursor = all_read(tenant, cursor)
    assert sorted(kinds(changes)) == [("asset", "created", None), ("employee", "created", None)]
    assert next(one["current"] for one in changes if one["entity"] == "asset")["serial_number"] == "SN-1"

    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example", osVersion="2")])
    run = tenant.rows("select max(id) as id from sync_runs")[0]["id"]
    tenant.run("update assets set notes = 'mine', assignee_id = :holder", holder=holder)
    with tenant.engine.begin() as db:
        kept_values.lock(db, "acme", "SN-1", "os_version", actor="test")
        kept_values.unlock(db, "acme", "SN-1", "os_version", actor="test")
    undo(tenant.engine, run, actor="test")
    tenant.run("update employees set first_name = 'Bosse' where id = :holder", holder=holder)
    tenant.run(
        "insert into employee_emails (employee_id, account_id, email) values (:holder, :account, 'b@x.example')",
        holder=holder,
    )
    changes, cursor = all_read(tenant, cursor)
    assert kinds(changes)[0] == ("asset", "updated", "os_version")
    assert changes[0]["fields"] == {"os_version": ["1", "2"]}
    assert sorted(kinds(changes)[1:3]) == [("asset", "assigned", "assignee_id"), ("asset", "updated", "notes")]
    assert kinds(changes)[3:] == [
        ("asset", "locked", "os_version"),
        ("asset", "locked", "os_version"),
        ("asset", "undone", "os_version"),
        ("employee", "updated", "first_name"),
        ("employee", "updated", "email"),
    ]
    assert [one["fields"] for one in changes[-2:]] == [
        {"first_name": ["Bo", "Bosse"]},
        {"email": [None, "b@x.example"]},
    ]
    assert all_read(tenant, cursor)[0] == []


def test_an_end_is_told_as_such(tenant: Tenant) -> None:
    tenant.set(lifecycle_max_share=1)
    tenant.sync([device("d1", "SN-1"), device("d2", "SN-2", "jane.doe@acme.example")])
    _, cursor = all_read(tenant)
    for _ in range(2):
        tenant.later(days=1)
        tenant.sync([device("d1", "SN-1")])
    changes, _ = all_read(tenant, cursor)
    assert kinds(changes) == [("asset", "ended", "status"), ("asset", "assigned", "assignee_id")]
    assert changes[0]["fields"] == {"status": ["allocated", "transferred"]}


def test_a_merge_is_told_of_both_employees_and_their_assets(tenant: Tenant) -> None:
    keep, other = tenant.add_employee("Bo", "Ek", "bo@acme.example"), tenant.add_employee("B", "Ek", "b@acme.example")
    held = tenant.add_asset("SN-1", assignee_id=other)
    _, cursor = all_read(tenant)
    with tenant.engine.begin() as db:
        duplicates.merge(db, "acme", keep, other, actor="test")
    changes, cursor = all_read(tenant, cursor)
    assert {one["kind"] for one in changes} == {"merged"}
    told = {(one["entity"], one["entity_id"]): one["current"] for one in changes}
    assert told["employee", other] is None
    assert [one["email"] for one in told["employee", keep]["emails"]] == ["b@acme.example", "bo@acme.example"]
    assert told["asset", held]["assignee_id"] == keep
    assert {"email": ["b@acme.example", None]} in [one["fields"] for one in changes if one["entity_id"] == other]
    with tenant.engine.begin() as db:
        duplicates.unmerge(db, "acme", other, actor="test")
    changes, _ = all_read(tenant, cursor)
    assert {one["entity_id"]: one["current"] for one in changes if one["entity"] == "employee"}[other][
        "first_name"
    ] == "B"


def test_a_sync_that_changes_nothing_tells_nothing(tenant: Tenant) -> None:
    devices = [device("d1", "SN-1", "jane.doe@acme.example")]
    tenant.sync(devices)
    _, cursor = all_read(tenant)
    tenant.sync(devices)
    assert all_read(tenant, cursor)[0] == []


def test_no_secret_is_ever_told(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1")])
    assert "activation_lock_bypass_code" not in repr(all_read(tenant))


def test_a_transaction_that_commits_late_is_not_skipped(tenant: Tenant) -> None:
    """It takes its number first, changes another row, and commits after the reader has been there."""
    first, second = tenant.add_asset("SN-1"), tenant.add_asset("SN-2")
    _, cursor = all_read(tenant)
    change = sa.text("update assets set notes = coalesce(notes, '') || 'x' where id = :id")
    with tenant.engine.connect() as late:
        late.execute(change, {"id": first})
        with tenant.engine.begin() as early:
            early.execute(change, {"id": second})
        seen, cursor = read(tenant, cursor)
        assert seen == []
        late.commit()
    seen, cursor = all_read(tenant, cursor)
    assert [one["entity_id"] for one in seen] == [first, second]


def test_two_transactions_on_one_row_are_told_in_the_order_of_the_row(tenant: Tenant) -> None:
    """The one that began first changes the row last."""
    shared, own = tenant.add_asset("SN-1", notes="0"), tenant.add_asset("SN-2")
    _, cursor = all_read(tenant)
    with tenant.engine.connect() as older:
        older.execute(sa.text("update assets set notes = 'own' where id = :id"), {"id": own})
        with tenant.engine.begin() as younger:
            younger.execute(sa.text("update assets set notes = '1' where id = :id"), {"id": shared})
        older.execute(sa.text("update assets set notes = '2' where id = :id"), {"id": shared})
        older.commit()
    seen, _ = all_read(tenant, cursor)
    assert [one["fields"]["notes"] for one in seen if one["entity_id"] == shared] == [["0", "1"], ["1", "2"]]


class Writers:
    """Up to three transactions at once, each on rows no other one holds."""

    def __init__(self, engine: sa.Engine, assets: list[int], rng: random.Random) -> None:
        self.engine, self.assets, self.rng = engine, assets, rng
        self.open: list[tuple[sa.Connection, set[int]]] = []
        self.written = 0

    def act(self, step: int) -> None:
        """Begin, write or commit, whatever comes."""
        taken = {asset for _, rows in self.open for asset in rows}
        free = [asset for asset in self.assets if asset not in taken]
        deed = self.rng.choice(["begin", "write", "write", "commit"])
        if deed == "begin" and len(self.open) < 3:
            self.open.append((self.engine.connect(), set()))
        elif deed == "write" and self.open and free:
            db, rows = self.rng.choice(self.open)
            asset = self.rng.choice(free)
            db.execute(sa.text("update assets set notes = :notes where id = :id"), {"notes": str(step), "id": asset})
            rows.add(asset)
            self.written += 1
        elif deed == "commit" and self.open:
            self.commit(self.rng.randrange(len(self.open)))

    def commit(self, index: int) -> None:
        db, _ = self.open.pop(index)
        db.commit()
        db.close()


def test_interleaved_transactions_at_random_end_with_the_same_copy(tenant: Tenant) -> None:
    rng = random.Random(20260302)
    writers = Writers(tenant.engine, [tenant.add_asset(f"SN-{n}", notes="") for n in range(6)], rng)
    copy: dict[int, str] = dict.fromkeys(writers.assets, "")
    _, cursor = all_read(tenant)

    def follow(limit: int) -> bool:
        nonlocal cursor
        seen, cursor = (read if writers.open else all_read)(tenant, cursor, limit=limit)
        copy.update({one["entity_id"]: one["fields"]["notes"][1] for one in seen})
        return bool(seen)

    for step in range(300):
        writers.act(step)
        if rng.random() < 0.3:
            follow(rng.choice([1, 2, 5]))
    while writers.open:
        writers.commit(0)
    while follow(3):
        pass
    assert writers.written > 40
    assert copy == {row["id"]: row["notes"] for row in tenant.assets().values()}


def test_pages_of_any_size_tell_the_same(tenant: Tenant) -> None:
    for n in range(25):
        tenant.add_asset(f"SN-{n}")
    whole, _ = all_read(tenant)
    paged: list[dict[str, Any]] = []
    cursor = None
    while True:
        seen, cursor = all_read(tenant, cursor, limit=4)
        if not seen:
            break
        paged += seen
    assert paged == whole


def test_one_account_is_never_told_of_another(tenant: Tenant) -> None:
    other = Tenant.connected(tenant.engine, "globex")
    other.add_asset("SN-9")
    assert all_read(tenant)[0] == []


def test_a_reader_can_begin_now(tenant: Tenant) -> None:
    tenant.add_asset("SN-1")
    seen, cursor = all_read(tenant, "latest")
    assert seen == []
    tenant.add_asset("SN-2")
    assert [one["current"]["serial_number"] for one in all_read(tenant, cursor)[0]] == ["SN-2"]


@pytest.mark.parametrize("cursor", ["x", "!!", "W10=", "WzEsMiwzXQ==", "WyJhIiwxLDIsM10=", "é", "Wy0xLDEsMSwxXQ=="])
def test_a_made_up_cursor_is_refused_in_a_sentence(tenant: Tenant, cursor: str) -> None:
    with pytest.raises(BadCursorError, match="not a cursor"):
        all_read(tenant, cursor)


def test_a_cursor_of_last_season_is_refused_and_old_events_go(tenant: Tenant) -> None:
    tenant.add_asset("SN-1")
    with pytest.raises(CursorExpiredError, match="90 days"):
        all_read(tenant, str(change_feed.Cursor(1, 2, 3, 0)))
    tenant.run("update change_events set at = now() - interval '91 days'")
    with tenant.engine.begin() as db:
        assert change_feed.delete_old(db) == 1
    assert all_read(tenant)[0] == []
