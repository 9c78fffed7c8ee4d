"""What every table is described with: the metadata, common columns and constraints."""

from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Column, DateTime, MetaData, func

from intune_pipeline.domain.serials import SERIAL_DROPPED, SERIAL_REPLACED, SERIAL_REPLACEMENTS

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def _literal(characters: str) -> str:
    r"""A string of SQL in ASCII alone: "a\u00a0" becomes E'a\u00a0'."""
    escaped = (
        c if c.isascii() and c.isalnum() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in characters
    )
    return f"E'{''.join(escaped)}'"


#: SQL of a serial's compared form; the same law as ``domain.serials.serial_key``. translate() drops the characters of its
#: second argument that have no partner in the third, and is slow with so many: printable ASCII does without it.
SERIAL_KEY_SQL = (
    "nullif(case when {0} ~ '^[!-~]+$' then upper({0} collate \"C\") else translate({0}, "
    f"{_literal(SERIAL_REPLACED + SERIAL_DROPPED)}, {_literal(SERIAL_REPLACEMENTS)}) end, '')"
)


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """A text column holds one of the vocabulary's words."""
    return CheckConstraint(f"{column} in ({', '.join(repr(word.value) for word in words)})", name=column)


def ciphertext(column: str) -> CheckConstraint:
    """Plaintext cannot be stored by mistake; Fernet's form is of an earlier version, until ``bypass-code rotate``."""
    return CheckConstraint(f"{column} like 'gAAAA%' or {column} like 'v1.%'", name="bypass_code_ciphertext")


def now(name: str, comment: str) -> Column[Any]:
    """A time with its zone that is the transaction's when nothing is said."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now(), comment=comment)
