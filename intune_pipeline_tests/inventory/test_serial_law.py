"""The compared form of serials: one law in Python and SQL, and a migration that loses nothing when the law changes."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from intune_pipeline.domain.serials import serial_key
from intune_pipeline.inventory import database, schema
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.syncing import Tenant, device


def test_python_and_sql_compare_alike_over_every_character(engine: sa.Engine) -> None:
    query = sa.text(f"""
        select point, {schema.SERIAL_KEY_SQL.format("'a' || chr(point) || 'b'")}, {schema.SERIAL_KEY_SQL.format("chr(point)")}
        from generate_series(1, 1114111) point where point not between 55296 and 57343
    """)  # noqa: S608 - constants of this file
    with engine.connect() as db:
        differ = [
            hex(point)
            for point, within, alone in db.execute(query)
            if within != serial_key(f"a{chr(point)}b") or alone != serial_key(chr(point))
        ]
    assert differ == []


@pytest.mark.parametrize(
    ("by_hand", "in_intune"),
    [
        ("PF-1234AB", "PF\u20111234AB"),
        ("PF-1234AB", "PF\u22121234ab"),
        ("PF1234AB", "PF\u00ad1234\u200bAB"),
        ("PF1234AB", "\uff30\uff26\uff11\uff12\uff13\uff14AB"),
    ],
)
def test_a_device_finds_the_asset_a_person_wrote(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount], by_hand: str, in_intune: str
) -> None:
    account = connect_account()
    tenant = Tenant(engine, account.connection_id, account.account_id)
    tenant.add_asset(by_hand)
    tenant.sync([device("d1", in_intune)])
    (asset,) = tenant.assets().values()
    assert (asset["serial_number"], asset["intune_device_id"]) == (by_hand, "d1")


def migrate(engine: sa.Engine, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, to)


BEFORE_THE_LAW = "0003"
ROWS = 10_000


def test_assets_that_become_one_serial_are_marked_and_nothing_is_lost(new_database: Callable[..., str]) -> None:
    engine = database.create_engine(new_database())
    migrate(engine, BEFORE_THE_LAW)
    with engine.begin() as db:
        db.execute(sa.text("insert into accounts (slug) values ('acme'), ('globex')"))
        insert = sa.text(
            "insert into assets (id, account_id, serial_number, intune_device_id) values (:id, :account, :serial, :device)"
        )
        assets = [
            (1, 1, "PF-1234AB", None), (2, 1, "PF\u20111234AB", "d2"), (3, 1, "PF\u22121234AB", None),
            (4, 2, "PF\u20111234AB", None), (5, 1, "\u00ad", None), (6, 1, "REAL-1", "d6"),
        ]  # fmt: skip
        for asset_id, account, serial, device_id in assets:
            db.execute(insert, {"id": asset_id, "account": account, "serial": serial, "device": device_id})
        db.execute(
            sa.text(
                "insert into kept_values (account_id, serial_key, field, kind, set_by) values (1, :key, 'model', 'locked', 'jane')"
            ),
            [{"key": "PF-1234AB"}, {"key": "PF\u20111234AB"}],
        )
        db.execute(
            sa.text(
                "insert into assets (id, account_id, serial_number) select 100 + n, 2, 'SN-' || n from generate_series(1, :rows) n"
            ),
            {"rows": ROWS},
        )
    database.upgrade(engine)
    with engine.connect() as db:
        serials = dict(
            db.execute(
                sa.text("select id, serial_number from assets where id <= 6 and serial_number not like 'SN-%'")
            ).all()
        )
        assert serials == {
            # The one a sync keeps stays; the others are assets still, and say so.
            1: "PF-1234AB [duplicate 1]", 2: "PF\u20111234AB", 3: "PF\u22121234AB [duplicate 3]",
            4: "PF\u20111234AB", 5: "\u00ad [duplicate 5]", 6: "REAL-1",
        }  # fmt: skip
        changes = db.execute(
            sa.text("select asset_id, field, old_value, new_value, reason from asset_changes order by asset_id")
        ).all()
        assert [tuple(change)[:4] for change in changes] == [
            (asset_id, "serial_number", serial, serials[asset_id])
            for asset_id, _, serial, _ in assets
            if serials[asset_id] != serial
        ]
        assert all("another asset" in change.reason for change in changes)
        assert db.scalar(sa.text("select count(*) from assets")) == ROWS + len(assets)
        wrong = db.execute(sa.text("select serial_number, serial_key from assets")).all()
        assert [row for row in wrong if row.serial_key != serial_key(row.serial_number)] == []
        locks = db.execute(sa.text("select serial_key from kept_values order by 1")).scalars().all()
        assert set(locks) <= {serial_key(serial) for serial in serials.values()}
    engine.dispose()
