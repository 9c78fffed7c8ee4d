"""Exports: every row of the account and of no other, with the data dictionary's words, and no secret."""

import csv
import io

import pyarrow.parquet
import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import exports
from intune_pipeline.inventory.exports import EXPORTS
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    Tenant.connected(engine, "globex").sync([device("g1", "GLOBEX-1", "ann.lee@globex.example")])
    tenant = Tenant.connected(engine, "acme")
    devices = [device(f"d{n}", f"SN-{n}", "jane.doe@acme.example", osVersion="1") for n in range(12)]
    tenant.sync(devices)
    tenant.sync([device("d0", "SN-0", "jane.doe@acme.example", osVersion="2"), *devices[1:]])
    return tenant


@pytest.mark.parametrize(("what", "count"), [("assets", 12), ("employees", 1), ("outcomes", 12), ("changes", 1)])
def test_csv_and_parquet_hold_the_accounts_rows(
    tenant: Tenant, what: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_AT_ONCE", 5)
    text, binary = io.StringIO(), io.BytesIO()
    with tenant.engine.connect() as db:
        assert exports.write_csv(db, "acme", what, text) == count
        assert exports.write_parquet(db, "acme", what, binary) == count
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    table = pyarrow.parquet.read_table(io.BytesIO(binary.getvalue()))
    assert len(rows) == table.num_rows == count
    assert list(rows[0]) == table.column_names == [column.name for column in EXPORTS[what]]
    assert "GLOBEX" not in text.getvalue()
    assert "activation_lock_bypass_code" not in table.column_names
    described = {field.name: field.metadata[b"description"].decode() for field in table.schema}
    assert described == {column.name: column.comment for column in EXPORTS[what]}


def test_the_rows_of_both_say_the_same(tenant: Tenant) -> None:
    text, binary = io.StringIO(), io.BytesIO()
    with tenant.engine.connect() as db:
        exports.write_csv(db, "acme", "assets", text)
        exports.write_parquet(db, "acme", "assets", binary)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    table = pyarrow.parquet.read_table(io.BytesIO(binary.getvalue())).to_pylist()
    assert [row["serial_number"] for row in rows] == [row["serial_number"] for row in table]
    assert [row["storage_gb"] for row in rows] == [str(row["storage_gb"]) for row in table]
