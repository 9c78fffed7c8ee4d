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


def slugs(db: Connection) -> list[str]:
    """The slug of every account."""
    return list(db.scalars(sa.select(accounts.c.slug).order_by(accounts.c.slug)))


def find(db: Connection, slug: str) -> Account | None:
    """The account of this slug, None when there is none."""
    row = db.execute(sa.select(accounts).where(accounts.c.slug == slug)).one_or_none()
    return None if row is None else Account(row.id, row.slug, row.name)


def by_id(db: Connection, account_id: int) -> Account:
    """The account of this id, which a foreign key says there is."""
    row = db.execute(sa.select(accounts).where(accounts.c.id == account_id)).one()
    return Account(row.id, row.slug, row.name)


def get(db: Connection, slug: str) -> Account:
    """The account of this slug.

    Raises:
        UnknownAccountError: there is none; the sentence names the accounts there are.
    """
    account = find(db, slug)
    if account is None:
        raise UnknownAccountError(f"There is no account {slug!r}; {_hint(slug, slugs(db))}.")
    return account


def of_organization(db: Connection, org_id: str, name: str) -> tuple[Account | None, bool]:
    """The account of a sign-in provider's organisation, and whether it was bound to it just now.

    An account whose organisation is not known yet is found by its slug once, and bound to the id that comes with that
    name; from then on only the id counts, whatever the organisation, or another one, is called.

    Args:
        db: a connection in a transaction.
        org_id: the provider's immutable id of the organisation.
        name: the organisation's name in the provider's words.
    """
    if not org_id:
        return None, False
    # A function of the tables' owner: the portal asks before it may see any account.
    asked = sa.text("select id, slug, name, bound from account_of_organization(:org_id, :name)")
    row = db.execute(asked, {"org_id": org_id, "name": name}).one_or_none()
    return (Account(row.id, row.slug, row.name), row.bound) if row else (None, False)


def bind_organization(db: Connection, slug: str, org_id: str | None) -> None:
    """Say which organisation of the sign-in provider an account is; None: whichever signs in next under its slug.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: another account is that organisation.
    """
    owner = get(db, slug)
    taken = sa.select(accounts.c.slug).where(accounts.c.org_id == org_id, accounts.c.id != owner.id)
    if org_id is not None and (other := db.scalar(taken)):
        raise WrongUseError(f"{other} is the organisation {org_id} already; one organisation is one account.")
    db.execute(sa.update(accounts).where(accounts.c.id == owner.id).values(org_id=org_id))


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
