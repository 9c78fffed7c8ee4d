"""allwhere's customers, found by their slug.

Belongs here: creating and finding accounts, and figures of their employees. Does not belong here: their link to a
Microsoft tenant (``connections``).
"""

import difflib
import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory.schema import accounts

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
LONGEST_SLUG = 63


class UnknownAccountError(WrongUseError):
    """There is no account of this slug."""


@dataclass(frozen=True, slots=True)
class Account:
    """One customer: the slug is its name on the command line and its Dagster partition key."""

    id: int
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class EmployeeFigures:
    """What the duplicate warning before the first sync is about.

    Attributes:
        employees: all employees of the account.
        without_work_email: those no work e-mail is known of; Intune's users cannot be matched with them.
    """

    employees: int
    without_work_email: int


def create(db: Connection, slug: str, name: str | None = None) -> Account:
    """Return the account of this slug, created when it is new.

    Args:
        db: a connection in a transaction.
        slug: 1 to 63 of ``a-z0-9-``, no hyphen at either end.
        name: for people; None leaves the name of an existing account and is the slug for a new one.

    Raises:
        WrongUseError: the slug is malformed.
    """
    if not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        raise WrongUseError(
            f"{slug!r} cannot be an account's slug: use 1 to {LONGEST_SLUG} letters a-z, digits and inner hyphens."
        )
    new = insert(accounts).values(slug=slug, name=name or slug)
    kept = accounts.c.name if name is None else new.excluded.name
    return Account(
        *db.execute(
            new.on_conflict_do_update(index_elements=["slug"], set_={"name": kept}).returning(
                accounts.c.id, accounts.c.slug, accounts.c.name
            )
        ).one()
    )


def find(db: Connection, slug: str) -> Account | None:
    """The account of this slug, None when there is none."""
    row = db.execute(sa.select(accounts).where(accounts.c.slug == slug)).one_or_none()
    return None if row is None else Account(row.id, row.slug, row.name)


def get(db: Connection, slug: str) -> Account:
    """The account of this slug.

    Raises:
        UnknownAccountError: there is none; the sentence names the accounts there are.
    """
    account = find(db, slug)
    if account is None:
        known = list(db.scalars(sa.select(accounts.c.slug).order_by(accounts.c.slug)))
        raise UnknownAccountError(f"There is no account {slug!r}; {_hint(slug, known)}.")
    return account


def _hint(slug: str, known: list[str]) -> str:
    if not known:
        return "none exists yet, create one with: intune-pipeline connections add"
    close = difflib.get_close_matches(slug, known, n=3)
    if close:
        return f"perhaps you mean {' or '.join(close)}"
    shown = ", ".join(known[:5])
    return f"known accounts: {shown}" + (f" and {len(known) - 5} more" if len(known) > 5 else "")


def employee_figures(db: Connection, slug: str) -> EmployeeFigures:
    """How many employees an account has, and how many of them without a work e-mail."""
    row = db.execute(
        sa.text("""
            select count(*) as employees,
                   count(*) filter (where not exists (
                       select from employee_emails m where m.employee_id = e.id and m.kind = 'work'
                   )) as without_work_email
            from employees e join accounts a on a.id = e.account_id
            where a.slug = :slug
        """),
        {"slug": slug},
    ).one()
    return EmployeeFigures(row.employees, row.without_work_email)
