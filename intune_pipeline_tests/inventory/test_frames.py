"""Frames survive the database unchanged, one tenant's at a time, and never with a secret."""

import dataclasses
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intune_pipeline.inventory import frames, schema
from intune_pipeline.inventory.frames import Listing, Snapshot
from intune_pipeline_tests.conftest import ConnectedAccount

LISTING = Listing("l1", "t1", "acme", "r1", datetime(2026, 8, 1, 5, tzinfo=UTC), True, 12, 2)
ASSET = "intune_device_details"
ROWS = pd.DataFrame(
    {
        "intune_device_id": ["1", "2", "3"],
        "memory_gb": [16, None, 8],
        "has_bypass_code": [True, False, None],
        "freshness": ["fetched now", None, ""],
    },
    dtype=object,
)


def by_id(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(frame.columns[0], ignore_index=True)


def test_every_type_survives_the_database(engine: sa.Engine) -> None:
    with engine.begin() as db:
        frames.write(db, ASSET, Snapshot(LISTING, ROWS))
        back = frames.read(db, ASSET, "acme")
    assert back.listing == LISTING
    pd.testing.assert_frame_equal(by_id(back.frame), frames.typed(ASSET, ROWS))
    assert [str(dtype) for dtype in back.frame.dtypes] == ["object", "Int64", "boolean", "object"]
    assert back.frame.set_index("intune_device_id").loc["2", "freshness"] is None
    assert back.frame.set_index("intune_device_id").loc["3", "freshness"] == ""


ANY_TEXT = st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
DEVICES = st.lists(
    st.tuples(
        ANY_TEXT, ANY_TEXT, st.none() | st.integers(0, 2**63 - 1), st.none() | st.datetimes(timezones=st.just(UTC))
    ),
    max_size=20,
)


@given(rows=DEVICES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_intune_shows_comes_back_as_it_was(engine: sa.Engine, rows: list[tuple[object, ...]]) -> None:
    asset = "raw_intune_devices"
    names = [column.name for column in schema.FRAMES[asset].columns if column.name != "partition_key"]
    data = {name: [None] * len(rows) for name in names}
    data["intune_device_id"] = [f"{index:03}" for index in range(len(rows))]
    for position, name in enumerate(["model", "user_display_name", "storage_bytes", "last_contact_at"]):
        data[name] = [row[position] for row in rows]
    frame = pd.DataFrame(data, dtype=object)
    with engine.begin() as db:
        frames.write(db, asset, Snapshot(LISTING, frame))
        back = by_id(frames.read(db, asset, "acme").frame)
    pd.testing.assert_frame_equal(back, frames.typed(asset, frame))
    for name in ("model", "user_display_name", "storage_bytes", "last_contact_at"):
        assert [None if pd.isna(value) else value for value in back[name]] == data[name]


def test_a_tenants_rows_are_replaced_and_others_stay(engine: sa.Engine) -> None:
    other = dataclasses.replace(LISTING, partition_key="globex")
    again = dataclasses.replace(LISTING, listing_id="l2", complete=False)
    with engine.begin() as db:
        frames.write(db, ASSET, Snapshot(LISTING, ROWS))
        frames.write(db, ASSET, Snapshot(other, ROWS))
        frames.write(db, ASSET, Snapshot(again, ROWS.head(1)))
        assert frames.read(db, ASSET, "acme").listing == again
        assert len(frames.read(db, ASSET, "acme").frame) == 1
        assert len(frames.read(db, ASSET, "globex").frame) == 3
        assert frames.listing_of(db, ASSET, "globex") == other
        assert frames.listing_of(db, ASSET, "initech") is None


def test_two_that_write_at_once_leave_one_frame(engine: sa.Engine) -> None:
    barrier = threading.Barrier(2)

    def write() -> None:
        barrier.wait()
        for _ in range(10):
            with engine.begin() as db:
                frames.write(db, ASSET, Snapshot(LISTING, ROWS))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.begin() as db:
        assert len(frames.read(db, ASSET, "acme").frame) == 3


def test_an_empty_frame_is_a_frame(engine: sa.Engine) -> None:
    with engine.begin() as db:
        frames.write(db, ASSET, Snapshot(LISTING, ROWS.head(0)))
        back = frames.read(db, ASSET, "acme")
    assert [str(dtype) for dtype in back.frame.dtypes] == ["object", "Int64", "boolean", "object"]
    assert len(back.frame) == 0


def test_a_frame_that_is_missing_or_lost_is_never_an_empty_one(engine: sa.Engine) -> None:
    with engine.begin() as db:
        with pytest.raises(frames.FrameMissingError, match="no intune_device_details of acme yet"):
            frames.read(db, ASSET, "acme")
        frames.write(db, ASSET, Snapshot(LISTING, ROWS))
        db.execute(sa.text("truncate pipeline.intune_device_details"))
        with pytest.raises(frames.FrameMissingError, match="0 rows instead of 3"):
            frames.read(db, ASSET, "acme")


@pytest.mark.parametrize(
    "name", ["bypass_code", "activation_lock_bypass_code", "client_secret", "Access_Token", "password"]
)
def test_secret_columns_are_refused(engine: sa.Engine, name: str) -> None:
    with engine.begin() as db, pytest.raises(frames.FrameRefusedError, match=f"'{name}'; secrets are never stored"):
        frames.write(db, ASSET, Snapshot(LISTING, ROWS.assign(**{name: "x"})))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows.drop(columns="freshness"), "does not have the columns of its table: freshness"),
        (lambda rows: rows.assign(colour="x"), "columns of its table: colour"),
        (lambda rows: pd.concat([rows, rows[["freshness"]]], axis=1), "some are there twice"),
        (lambda rows: rows.assign(memory_gb="much"), "memory_gb .* something else than whole numbers"),
        (lambda rows: rows.assign(memory_gb=1.5), "memory_gb .* something else than whole numbers"),
        (lambda rows: rows.assign(freshness=7), "freshness .* something else than text"),
        (lambda rows: rows.assign(freshness="nul\x00"), "cannot be stored"),
        (lambda rows: rows.assign(memory_gb=2**40), "cannot be stored: value .* out of range"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    engine: sa.Engine, change: Callable[[pd.DataFrame], pd.DataFrame], sentence: str
) -> None:
    with pytest.raises(frames.FrameRefusedError, match=sentence), engine.begin() as db:
        frames.write(db, ASSET, Snapshot(LISTING, change(ROWS)))


def test_missing_values_of_every_kind_are_none(engine: sa.Engine) -> None:
    odd = ROWS.assign(freshness=[np.nan, pd.NA, None], memory_gb=[np.nan, pd.NA, 4.0])
    assert frames.typed(ASSET, odd)["freshness"].tolist() == [None, None, None]
    assert frames.typed(ASSET, odd)["memory_gb"].tolist() == [pd.NA, pd.NA, 4]


def test_frames_of_disconnected_accounts_are_deleted(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    connect_account("acme")
    connect_account("gone", status="disconnected")
    with engine.begin() as db:
        for key in ("acme", "gone"):
            frames.write(db, ASSET, Snapshot(dataclasses.replace(LISTING, partition_key=key), ROWS))
        assert frames.delete_of_disconnected(db) == 1
        assert len(frames.read(db, ASSET, "acme").frame) == 3
        assert db.scalar(sa.text("select count(*) from pipeline.intune_device_details")) == 3


def test_a_tenant_without_statistics_is_read_a_few_times_and_not_once_for_each_device(engine: sa.Engine) -> None:
    """As in the first sync of a large tenant beside others whose frames PostgreSQL knows."""

    def stored(db: sa.Connection, account: str, devices: int) -> None:
        listing = dataclasses.replace(LISTING, partition_key=account)
        ids = [f"{account}-{number}" for number in range(devices)]
        for asset in ("raw_intune_devices", "classified_devices"):
            names = [column.name for column in schema.FRAMES[asset].columns if column.name != "partition_key"]
            frame = pd.DataFrame({name: [None] * devices for name in names}, dtype=object)
            frame = frame.assign(intune_device_id=ids, user_email="jane@acme.example")
            if asset == frames.JUDGED:
                frame = frame.assign(skip_reason="desktop")
            frames.write(db, asset, Snapshot(listing, frame))

    with engine.begin() as db:
        stored(db, "globex", 5)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(sa.text("analyze pipeline.raw_intune_devices, pipeline.classified_devices"))
    devices = 500
    with engine.begin() as db:
        stored(db, "acme", devices)
        read = db.scalar(
            sa.text("""
                select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables
                where schemaname = 'pipeline' and relname in ('raw_intune_devices', 'classified_devices')
            """)
        )
        users = "select count(user_email) from pipeline.raw_intune_devices where partition_key = 'acme'"
        assert db.scalar(sa.text(users)) == 0
    assert read < 10 * devices
