"""The JSON API about runs: what waits, what each did, undoing one, locks of fields, and the feed of changes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import accounts, audit, change_feed, sync_locks
from intune_pipeline.portal import limits
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.fleets import fleet, last_run
from intune_pipeline_tests.syncing import Tenant, device

Api = Callable[[str], TestClient]


@pytest.fixture
def tenant(app: FastAPI, engine: sa.Engine, connected: Callable[..., int]) -> Tenant:
    """Acme, whose first sync created three assets and whose second updated two of them."""
    connection_id = connected("acme")
    with engine.connect() as db:
        acme = Tenant(engine, connection_id, accounts.get(db, "acme").id)
    acme.sync(fleet("10.0.1"))
    acme.sync([*fleet("10.0.2")[:2], fleet("10.0.1")[2]])
    return acme


def test_runs_are_listed_newest_first_with_their_counts(api: Api, tenant: Tenant) -> None:
    second, first = api("acme-secondary").get("/api/v1/runs").json()
    assert (first["assets_created"], first["employees_created"]) == (3, 3)
    assert (second["assets_updated"], second["undone_by"], second["undoes"]) == (2, None, None)


def test_a_run_says_what_it_changed_before_and_after(api: Api, tenant: Tenant) -> None:
    run = api("acme-secondary").get(f"/api/v1/runs/{last_run(tenant)}").json()
    assert run["counts"] == {"updated": 2}
    assert run["changes"] == [
        {"kind": "updated", "name": name, "fields": {"os_version": ["10.0.1", "10.0.2"]}, "note": None}
        for name in ("SN-0", "SN-1")
    ]


def test_a_run_is_searched_filtered_and_paged_by_the_server(api: Api, tenant: Tenant) -> None:
    first = f"/api/v1/runs/{last_run(tenant) - 1}"
    client = api("acme-secondary")
    whole = client.get(first).json()
    assert whole["counts"] == {"created": 3, "employee_added": 3}
    assert whole["total"] == 6
    pages = [client.get(first, params={"page": n, "page_size": 4}).json() for n in (1, 2, 3)]
    assert [len(one["changes"]) for one in pages] == [4, 2, 0]
    assert pages[0]["changes"] + pages[1]["changes"] == whole["changes"]
    found = client.get(first, params={"search": "sn-1"}).json()
    assert [(one["kind"], one["fields"]["assignee_id"]) for one in found["changes"]] == [
        ("created", [None, "bob.falk@acme.example"])
    ]
    people = client.get(first, params={"kind": "employee_added", "search": "CLEO"}).json()
    assert [(one["name"], one["note"]) for one in people["changes"]] == [("cleo.lund@acme.example", "Cleo Lund")]
    assert client.get(first, params={"search": "%"}).json()["total"] == 0, "a sign of LIKE is an ordinary letter"


def test_a_run_of_another_account_is_not_here(api: Api, tenant: Tenant) -> None:
    run = last_run(tenant)
    for ask in (
        lambda client: client.get(f"/api/v1/runs/{run}"),
        lambda client: client.post(f"/api/v1/runs/{run}/undo"),
        lambda client: client.post(f"/api/v1/runs/{run}/undo", params={"dry_run": True}),
    ):
        answer = ask(api("globex-primary"))
        assert (answer.status_code, answer.json()["title"]) == (404, "No such run")
    assert last_run(tenant) == run


def test_undoing_is_for_primary_admins_who_signed_in_just_now(api: Api, tenant: Tenant, clock: Clock) -> None:
    path = f"/api/v1/runs/{last_run(tenant)}/undo"
    assert api("acme-secondary").post(path).status_code == 403
    clock.move(timedelta(minutes=11))
    assert api("acme-primary").post(path).status_code == 401
    assert tenant.asset("SN-0")["os_version"] == "10.0.2"


def test_a_dry_run_says_what_undoing_does_and_undoing_does_it(api: Api, tenant: Tenant, engine: sa.Engine) -> None:
    run = last_run(tenant)
    tenant.run("update assets set os_version = 'typed' where serial_number = 'SN-1'")
    client = api("acme-primary")
    planned = client.post(f"/api/v1/runs/{run}/undo", params={"dry_run": True}).json()
    assert planned["status"] == "planned"
    assert (last_run(tenant), tenant.asset("SN-0")["os_version"]) == (run, "10.0.2")
    done = client.post(f"/api/v1/runs/{run}/undo").json()
    assert {**done, "status": None, "run": None} == {**planned, "status": None, "run": None}
    assert done["not_undone"] == [{"what": "SN-1", "field": "os_version", "reason": "changed by a person since"}]
    assert {serial: row["os_version"] for serial, row in tenant.assets().items()} == {
        "SN-0": "10.0.1",
        "SN-1": "typed",
        "SN-2": "10.0.1",
    }
    undo, undone, _ = client.get("/api/v1/runs").json()
    assert (undo["trigger"], undo["undoes"], undo["started_by"]) == ("undo", run, "auth0|acme-primary")
    assert undone["undone_by"] == undo["id"] == done["run"]
    with engine.connect() as db:
        assert audit.entries(db, "acme")[0].action == "undo"


def test_a_first_sync_is_undone_with_its_employees_and_stays_listed(api: Api, tenant: Tenant) -> None:
    first = last_run(tenant) - 1
    client = api("acme-primary")
    client.post(f"/api/v1/runs/{first + 1}/undo")
    undo = client.post(f"/api/v1/runs/{first}/undo").json()
    assert (tenant.assets(), undo["not_undone"]) == ({}, [])
    assert client.get(f"/api/v1/runs/{undo['run']}").json()["counts"] == {"removed": 3, "employee_removed": 3}
    run = client.get(f"/api/v1/runs/{first}").json()
    assert run["counts"] == {"created": 3, "employee_added": 3}
    assert run["changes"][0]["note"] == f"removed since by run {undo['run']}"
    again = client.post(f"/api/v1/runs/{undo['run']}/undo").json()
    assert set(tenant.assets()) == {"SN-0", "SN-1", "SN-2"}
    by_id = {one["id"]: one["undone_by"] for one in client.get("/api/v1/runs").json()}
    assert (by_id[first], by_id[undo["run"]]) == (None, again["run"]), "an undo that was undone does not hold"


def test_while_a_sync_runs_nothing_is_undone(api: Api, tenant: Tenant, engine: sa.Engine) -> None:
    run = last_run(tenant)
    with sync_locks.locked(engine, tenant.connection_id):
        tenant.open_run()
        answer = api("acme-primary").post(f"/api/v1/runs/{run}/undo")
        assert answer.status_code == 409
        assert "has been running since" in answer.json()["detail"]
    assert tenant.asset("SN-0")["os_version"] == "10.0.2"


def test_a_field_is_locked_and_unlocked(api: Api, tenant: Tenant) -> None:
    of = {"serial_number": "sn-0", "field": "os_version"}
    assert api("acme-secondary").put("/api/v1/device/locks", params=of).status_code == 403
    client = api("acme-primary")
    assert client.put("/api/v1/device/locks", params=of).status_code == 204
    assert client.put("/api/v1/device/locks", params=of).status_code == 204, "locking twice is locking"
    tenant.sync(fleet("10.0.3"))
    assert tenant.asset("SN-0")["os_version"] == "10.0.2"
    kept = client.get("/api/v1/device", params={"serial_number": "SN-0"}).json()["kept"]
    assert [(one["kind"], one["intune_value"], one["set_by"]) for one in kept] == [
        ("locked", "10.0.3", "auth0|acme-primary")
    ]
    assert client.delete("/api/v1/device/locks", params=of).status_code == 204
    assert client.delete("/api/v1/device/locks", params=of).status_code == 409
    assert client.put("/api/v1/device/locks", params=of | {"field": "notes"}).status_code == 409
    tenant.sync(fleet("10.0.3"))
    assert tenant.asset("SN-0")["os_version"] == "10.0.3"


def test_an_asset_whose_creation_was_undone_comes_when_it_is_lifted(api: Api, tenant: Tenant) -> None:
    first = last_run(tenant) - 1
    client = api("acme-primary")
    client.post(f"/api/v1/runs/{first + 1}/undo")
    client.post(f"/api/v1/runs/{first}/undo")
    tenant.sync(fleet("10.0.2"))
    assert tenant.assets() == {}
    assert client.delete("/api/v1/device/locks", params={"serial_number": "SN-0", "field": "asset"}).status_code == 204
    tenant.sync(fleet("10.0.2"))
    assert set(tenant.assets()) == {"SN-0"}


def test_what_waits_is_one_list_with_the_page_where_it_is_done(api: Api, tenant: Tenant) -> None:
    assert api("acme-secondary").get("/api/v1/needs").json() == []
    tenant.sync([*fleet("10.0.2"), device("d9", "SN-9", "", manufacturer="Nobody", model="Nothing")])
    (need,) = api("acme-secondary").get("/api/v1/needs").json()
    assert (need["kind"], need["count"], need["href"]) == ("unknown_models", 1, "/integrations/intune/models")
    assert api("globex-primary").get("/api/v1/needs").json() == []


def test_the_feed_of_changes_is_read_to_its_end_and_goes_on(api: Api, tenant: Tenant) -> None:
    client = api("acme-secondary")
    seen, cursor, more = [], None, True
    tenant.wait_for_feed()
    while more:
        answer = client.get("/api/v1/changes", params={"limit": 5, **({"cursor": cursor} if cursor else {})}).json()
        seen += answer["changes"]
        cursor, more = answer["cursor"], answer["more"]
    assert sum(one["kind"] == "created" for one in seen) == 6
    assert [one["id"] for one in seen] == sorted({one["id"] for one in seen})
    tenant.run("update assets set notes = 'scratched' where serial_number = 'SN-0'")
    tenant.wait_for_feed()
    (change,) = client.get("/api/v1/changes", params={"cursor": cursor}).json()["changes"]
    assert (change["fields"], change["current"]["notes"]) == ({"notes": [None, "scratched"]}, "scratched")
    assert api("globex-primary").get("/api/v1/changes").json()["changes"] == []


def test_a_cursor_that_is_none_and_one_too_old_are_told_apart(api: Api, tenant: Tenant) -> None:
    client = api("acme-secondary")
    assert client.get("/api/v1/changes", params={"cursor": "rubbish"}).status_code == 400
    old = str(change_feed.Cursor(0, 1, 0, 1))
    assert client.get("/api/v1/changes", params={"cursor": old}).status_code == 410
    assert client.get("/api/v1/changes", params={"limit": 0}).status_code == 422


def test_undoing_without_end_is_slowed_down(api: Api, tenant: Tenant) -> None:
    run = last_run(tenant)
    codes = [api("acme-primary").post(f"/api/v1/runs/{run}/undo").status_code for _ in range(limits.UNDOS.times + 1)]
    assert codes == [200] * limits.UNDOS.times + [429]
