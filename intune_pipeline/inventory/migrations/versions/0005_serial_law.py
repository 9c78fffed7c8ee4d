"""Serials compare without invisible characters, full-width characters as plain ones and every dash as a hyphen.

Two assets of one account whose serials differ in nothing else are one serial from now on. Nothing is lost and nobody is
asked: of such assets the one a sync keeps, else the oldest, stays as it is. The others stay assets, and their serial gets
the addition `` [duplicate ID]``, with the serial as it was in their history; a person may merge or delete them. So do
assets whose serial has no visible character, which cannot be matched.

Entries of a list without an id are counted, and devices whose users are rooms are told apart.

Revision ID: 0005
"""

import sqlalchemy as sa
import structlog
from alembic import op

revision = "0005"
down_revision = "0004"

_SHOWN = "compared form: upper case, without spaces and invisible characters, plain digits and dashes"
_REASON = (
    "the serial number of another asset, written differently (a dash, full-width or invisible characters); merge or delete "
    "one of the two"
)
logger = structlog.get_logger(__name__)


def upgrade() -> None:
    """Mark what becomes equal, then generate the compared forms anew."""
    _mark_duplicates()
    op.drop_constraint(op.f("assets_account_id_serial_key_key"), "assets", type_="unique")
    _generate("assets", _SHOWN, nullable=False)
    op.create_unique_constraint(op.f("assets_account_id_serial_key_key"), "assets", ["account_id", "serial_key"])
    op.drop_index(op.f("device_outcomes_connection_id_serial_key_idx"), "device_outcomes")
    _generate("device_outcomes", "compared form, as in assets", nullable=True)
    op.create_index(
        op.f("device_outcomes_connection_id_serial_key_idx"), "device_outcomes", ["connection_id", "serial_key"]
    )
    failed = "devices that could not be read or written; the next sync tries again"
    op.alter_column("sync_runs", "devices_failed", comment=failed, existing_type=sa.Integer(), existing_nullable=False)
    _count("sync_runs", "devices_unreadable", "of the failed: entries of the list without an id")
    rooms: sa.Column[bool] = sa.Column(
        "users_are_rooms", sa.Boolean(), comment="whether its user is a room, a desk or a wall and never an employee"
    )
    op.add_column("classified_devices", rooms, schema="pipeline")
    _count("snapshots", "unreadable", "entries of the list without an id, counted as failed", schema="pipeline")


def _mark_duplicates() -> None:
    db = op.get_bind()
    # The history is written here, with the reason.
    db.execute(sa.text("set local intune_pipeline.records_changes = 'on'"))
    marked = db.execute(sa.text(_MARK)).scalar_one()
    if marked:
        logger.warning(
            "assets have the serial number of another asset, written differently; they are marked '[duplicate ID]' and "
            "their history says what they were",
            assets=marked,
        )
    # Keys that were equal to no asset's: what is said twice of one serial now is said once.
    db.execute(sa.text(_FORGET_REPEATED_LOCKS))
    db.execute(sa.text(_RENEW_LOCKS))


def _generate(table: str, comment: str, *, nullable: bool) -> None:
    op.drop_column(table, "serial_key")
    computed = sa.Computed(_KEY, persisted=True)
    op.add_column(table, sa.Column("serial_key", sa.Text(), computed, nullable=nullable, comment=comment))


def _count(table: str, column: str, comment: str, *, schema: str | None = None) -> None:
    counted = sa.Column(column, sa.Integer(), server_default="0", nullable=False, comment=comment)
    op.add_column(table, counted, schema=schema)


# The law of this revision, whatever becomes of it later: code points, and ranges of them.
_SPACES = [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
_INVISIBLE = [
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010),
    *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFF9),
]  # fmt: skip
_DASHES = [
    0x58A, 0x5BE, 0x1400, 0x1806, *range(0x2010, 0x2016), 0x2043, 0x2212, 0x2E17, 0x2E1A, 0x2E3A, 0x2E3B, 0x2E40, 0x2E5D,
    0x301C, 0x3030, 0x30A0, 0xFE31, 0xFE32, 0xFE58, 0xFE63, 0x10EAD,
]  # fmt: skip
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_LOWER = range(ord("a"), ord("z") + 1)


def _literal(points: list[int]) -> str:
    escaped = (
        chr(p) if p < 0x80 and chr(p).isalnum() else f"\\u{p:04x}" if p < 0x10000 else f"\\U{p:08x}" for p in points
    )
    return f"E'{''.join(escaped)}'"


_FROM = _literal([*_LOWER, *_FULL_WIDTH, *_DASHES, *_SPACES, *_INVISIBLE])
_TO = _literal([ord(chr(p).upper()) for p in [*_LOWER, *(p - 0xFEE0 for p in _FULL_WIDTH)]] + [ord("-")] * len(_DASHES))


def _key(column: str) -> str:
    return f"nullif(translate({column}, {_FROM}, {_TO}), '')"


_KEY = _key("serial_number")
_KEPT = f"coalesce({_key('serial_key')}, serial_key)"

_MARK = f"""
    with ranked as (
        select id, account_id, serial_number, serial_key, {_KEY} as key, row_number() over (
            partition by account_id, {_KEY}
            order by exists (select from device_outcomes o where o.asset_id = assets.id) desc,
                     intune_device_id is not null desc, id
        ) as place
        from assets
    ),
    marked as (
        update assets a set serial_number = a.serial_number || ' [duplicate ' || a.id || ']', updated_at = now()
        from ranked r
        where r.id = a.id and (r.place > 1 or r.key is null)
        returning a.id, a.account_id, r.serial_key, r.serial_number as was, a.serial_number as is_now
    ),
    told as (
        insert into asset_changes (asset_id, field, old_value, new_value, reason)
        select id, 'serial_number', was, is_now, '{_REASON}' from marked
    ),
    locks as (
        update kept_values k set serial_key = {_key("m.is_now")}
        from marked m where k.account_id = m.account_id and k.serial_key = m.serial_key
    )
    select count(*) from marked
"""  # noqa: S608 - constants of this file

_FORGET_REPEATED_LOCKS = f"""
    delete from kept_values where id in (
        select id from (
            select id, row_number() over (partition by account_id, {_KEPT}, field, kind order by id desc) as place
            from kept_values
        ) ranked
        where place > 1
    )
"""  # noqa: S608 - constants of this file

_RENEW_LOCKS = f"update kept_values set serial_key = {_KEPT} where serial_key <> {_KEPT}"  # noqa: S608 - the same
