"""Decisions by the API: for all, for a search, for a chosen few; taken back, and applied now."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import accounts
from intune_pipeline_tests.portal.customers import Customer, furnish
from intune_pipeline_tests.syncing import Tenant, device

Api = Callable[[str], TestClient]
HOLDS = "/api/v1/holds"


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    """Two look-alikes and some ends wait."""
    return furnish(engine, "acme", "acme")


@pytest.fixture
def tenant(app: FastAPI, engine: sa.Engine, connected: Callable[..., int]) -> Tenant:
    """Acme, of which six people wait for a decision."""
    connection_id = connected("acme", hold_lookalike_employees=True)
    with engine.connect() as db:
        found = Tenant(engine, connection_id, accounts.get(db, "acme").id)
    names = [("Ann", "Berg"), ("Bob", "Berg"), ("Cleo", "Lund"), ("Dan", "Lund"), ("Eve", "Falk"), ("Finn", "Falk")]
    for first, last in names:
        found.add_employee(first, last, f"{first}@home.example".lower(), "personal")
    found.sync(device(f"d{n}", user=f"{first}.{last}@acme.example".lower()) for n, (first, last) in enumerate(names))
    return found


def waiting(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{HOLDS}/employees", params=query).json()["employees"]
    return found


def test_people_who_wait_are_searched_and_paged(api: Api, tenant: Tenant) -> None:
    client = api("acme-secondary")
    assert len(waiting(client)) == 6
    assert [one["first_name"] for one in waiting(client, search="lund")] == ["Cleo", "Dan"]
    pages = [client.get(f"{HOLDS}/employees", params={"page": n, "page_size": 4}).json() for n in (1, 2)]
    assert [len(page["employees"]) for page in pages] == [4, 2]
    assert [page["more"] for page in pages] == [True, False]


def test_one_decides_for_a_chosen_few_for_a_search_and_for_all(api: Api, tenant: Tenant) -> None:
    client = api("acme-primary")
    ann = waiting(client, search="ann")[0]
    assert client.post(f"{HOLDS}/employees", json={"decision": "link", "hold_ids": [ann["id"]]}).json()["size"] == 1
    assert client.post(f"{HOLDS}/employees", json={"decision": "skip", "search": "lund"}).json()["size"] == 2
    assert client.post(f"{HOLDS}/employees", json={"decision": "create", "everything": True}).json()["size"] == 3
    assert waiting(client) == []
    decided = client.get(f"{HOLDS}/decisions").json()
    assert [(one["decision"], one["size"]) for one in decided] == [("created", 3), ("skipped", 2), ("linked", 1)]
    assert all(one["can_be_undone"] for one in decided)


def test_a_decision_is_taken_back_and_waits_again(api: Api, tenant: Tenant) -> None:
    client = api("acme-primary")
    client.post(f"{HOLDS}/employees", json={"decision": "skip", "search": "lund"})
    (decision,) = client.get(f"{HOLDS}/decisions").json()
    undone = client.post(f"{HOLDS}/decisions/{decision['id']}/undo")
    assert undone.json() == {"size": 2, "sync": None}
    assert len(waiting(client)) == 6
    assert client.post(f"{HOLDS}/decisions/{decision['id']}/undo").status_code == 409
    assert client.get(f"{HOLDS}/decisions", params={"before": decision["id"]}).json() == []


def test_a_decision_may_be_applied_at_once(api: Api, tenant: Tenant) -> None:
    client = api("acme-primary")
    answer = client.post(f"{HOLDS}/employees", json={"decision": "skip", "everything": True, "apply_now": True}).json()
    assert answer["sync"]["outcome"] == "accepted"
    again = client.post(f"{HOLDS}/apply")
    assert again.status_code == 202
    assert again.json()["request_id"] == answer["sync"]["request_id"]


def test_ends_are_listed_with_what_is_known_and_decided_in_parts(api: Api, acme: Customer) -> None:
    client = api("acme-primary")
    listed = client.get(f"{HOLDS}/devices").json()
    ids = [one["intune_device_id"] for one in listed["devices"]]
    assert ids
    first = client.post(f"{HOLDS}/lifecycle", json={"decision": "dropped", "intune_device_ids": ids[:1]})
    assert first.json()["size"] == 1
    assert [one["intune_device_id"] for one in client.get(f"{HOLDS}/devices").json()["devices"]] == ids[1:]
    again = client.post(f"{HOLDS}/lifecycle", json={"decision": "dropped", "intune_device_ids": ids[:1]})
    assert again.status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "skip"},
        {"decision": "skip", "everything": True, "search": "x"},
        {"decision": "skip", "hold_ids": [1], "everything": True},
        {"decision": "skip", "hold_ids": []},
        {"decision": "skip", "search": "  "},
    ],
)
def test_a_decision_says_in_one_way_what_it_is_about(api: Api, tenant: Tenant, body: dict[str, Any]) -> None:
    assert api("acme-primary").post(f"{HOLDS}/employees", json=body).status_code == 422


def test_secondary_admins_only_look(api: Api, tenant: Tenant) -> None:
    client = api("acme-secondary")
    for path, body in (
        (f"{HOLDS}/employees", {"decision": "skip", "everything": True}),
        (f"{HOLDS}/lifecycle", {"decision": "dropped", "everything": True}),
        (f"{HOLDS}/decisions/1/undo", None),
        (f"{HOLDS}/apply", None),
    ):
        assert client.post(path, json=body).status_code == 403
    assert len(waiting(client)) == 6
