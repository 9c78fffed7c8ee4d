"""The list of every device ever seen: found, filtered, sorted, paged, exported, of one account only."""

import csv
import io
import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import device_list, fleet_overview, schema
from intune_pipeline.inventory.device_list import Query
from intune_pipeline.inventory.fleet_overview import Count
from intune_pipeline_tests.conftest import ConnectedAccount


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount], engine: sa.Engine) -> ConnectedAccount:
    acme, globex = connect_account("acme"), connect_account("globex")
    with engine.begin() as db:
        db.execute(
            sa.text("""
                insert into device_outcomes (connection_id, intune_device_id, serial_number, device_name, manufacturer, model,
                                             device_type, outcome, reason, last_synced_at, absent_since)
                values (:c, 'd1', 'pf-1 a', 'ANN-PC', 'LENOVO', '20XW', 'laptop', 'synced', null, '2026-08-01', null),
                       (:c, 'd2', null, 'TOWER_1', 'Dell', 'Precision 3660', 'desktop', 'skipped', 'desktop', null, null),
                       (:c, 'd3', 'X%Y', '=cmd()', 'Acme, Inc', 'Thing', 'unknown', 'skipped', 'unknown_type', null, null),
                       (:c, 'd4', 'S4', 'OLD', 'Dell', 'Latitude', 'laptop', 'synced', null, '2026-07-01', now()),
                       (:c, 'd5', 'S5', 'BAD', 'Dell', 'Latitude', 'laptop', 'failed', 'The row is locked.', null, null),
                       (:other, 'd9', 'S9', 'ANN-PC', 'Dell', 'Latitude', 'laptop', 'synced', null, null, null)
            """),
            {"c": acme.connection_id, "other": globex.connection_id},
        )
    return acme


def ids(engine: sa.Engine, **query: object) -> list[str]:
    with engine.begin() as db:
        return [device.intune_device_id for device in device_list.page(db, "acme", Query(**query)).devices]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("PF-1A", ["d1"]),
        ("pf- 1", ["d1"]),
        ("lenovo 20xw", ["d1"]),
        ("dell", ["d2", "d4", "d5"]),
        ("%", ["d3"]),
        ("_", ["d2"]),
        (" ann ", ["d1"]),
        ("\\", []),
        ("nothing like it", []),
    ],
)
def test_search_finds_any_part_and_takes_nothing_for_a_wildcard(
    engine: sa.Engine, acme: ConnectedAccount, search: str, found: list[str]
) -> None:
    assert sorted(ids(engine, search=search)) == found


def test_filters_narrow_the_list(engine: sa.Engine, acme: ConnectedAccount) -> None:
    assert sorted(ids(engine, outcome="synced")) == ["d1", "d4"]
    assert ids(engine, reason="desktop") == ["d2"]
    assert ids(engine, device_type="laptop", outcome="failed") == ["d5"]


def test_sorting_puts_missing_values_last_and_is_stable(engine: sa.Engine, acme: ConnectedAccount) -> None:
    assert ids(engine, sort="last_synced_at", descending=True) == ["d1", "d4", "d2", "d3", "d5"]
    assert ids(engine, sort="last_synced_at", descending=False) == ["d4", "d1", "d2", "d3", "d5"]
    assert ids(engine, sort="last_seen_at") == ["d1", "d2", "d3", "d4", "d5"]


def test_pages_follow_one_another(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        pages = [device_list.page(db, "acme", Query(page=number, page_size=2)) for number in (1, 2, 3, 4)]
    assert [len(page.devices) for page in pages] == [2, 2, 1, 0]
    assert {page.total for page in pages} == {5}


def test_nothing_of_another_account_is_found(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        assert device_list.page(db, "globex", Query()).total == 1
        assert device_list.page(db, "nobody", Query()).total == 0
        assert "d9" not in "".join(device_list.csv_lines(db, "acme", Query()))


def test_csv_holds_what_is_found_and_no_formula(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        rows = list(csv.DictReader(device_list.csv_lines(db, "acme", Query(search="Thing", page=7))))
        assert device_list.page(db, "acme", Query()).total == 5
    assert len(rows) == 1
    assert (rows[0]["serial_number"], rows[0]["device_name"], rows[0]["manufacturer"], rows[0]["last_synced_at"]) == (
        "X%Y",
        "'=cmd()",
        "Acme, Inc",
        "",
    )


def test_counts_are_of_the_devices_in_intune(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        overview = fleet_overview.of_account(db, "acme")
    assert (overview.gone, overview.appeared, overview.left) == (1, 0, 0)
    assert list(overview.in_intune) == [
        Count("failed", None, 1),
        Count("skipped", "desktop", 1),
        Count("skipped", "unknown_type", 1),
        Count("synced", None, 1),
    ]


def test_no_cell_begins_a_formula_however_a_reader_separates(engine: sa.Engine, acme: ConnectedAccount) -> None:
    """Where a comma is the decimal sign, spreadsheets separate by semicolons; some read full-width signs alike."""
    signs = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", "\r=", " =", "\n@"]
    names = [
        f"{b}{sign}cmd|' /C calc'!A0" for b in ("", "Thing;", "Thing; ", "Thing,", "Thing\t", "|") for sign in signs
    ]
    rows = [
        {"connection_id": acme.connection_id, "intune_device_id": f"{n:03}", "outcome": "skipped", "device_name": name}
        for n, name in enumerate(names)
    ]
    with engine.begin() as db:
        db.execute(sa.insert(schema.device_outcomes), rows)
        text = "".join(device_list.csv_lines(db, "acme", Query(search="calc")))
    written = [row["device_name"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert len(written) == len(names)
    for name in written:
        for part in re.split(r"[;,\t\r\n|]", name):
            assert not re.match(r"\s*[=+\-@＝＋－＠]", part), repr(name)
