"""The compared form of a serial is found quickly where nothing needs to be dropped or replaced; the law is as before.

translate() looks each character up among some three hundred, which took most of the time of writing a device's outcome.

Revision ID: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_SHOWN = "compared form: upper case, without spaces and invisible characters, plain digits and dashes"
_UNIQUE = "assets_account_id_serial_key_key"
_INDEX = "device_outcomes_connection_id_serial_key_idx"


def upgrade() -> None:
    """Generate the compared forms anew; the values stay."""
    op.drop_constraint(op.f(_UNIQUE), "assets", type_="unique")
    _generate("assets", _SHOWN, nullable=False)
    op.create_unique_constraint(op.f(_UNIQUE), "assets", ["account_id", "serial_key"])
    op.drop_index(op.f(_INDEX), "device_outcomes")
    _generate("device_outcomes", "compared form, as in assets", nullable=True)
    op.create_index(op.f(_INDEX), "device_outcomes", ["connection_id", "serial_key"])


def _generate(table: str, comment: str, *, nullable: bool) -> None:
    op.drop_column(table, "serial_key")
    computed = sa.Computed(_KEY, persisted=True)
    op.add_column(table, sa.Column("serial_key", sa.Text(), computed, nullable=nullable, comment=comment))


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
_KEY = (
    "nullif(case when serial_number ~ '^[!-~]+$' then upper(serial_number collate \"C\") "
    f"else translate(serial_number, {_FROM}, {_TO}) end, '')"
)
