"""PostgreSQL's roles of least privilege, and as which of them, for which account, a process works.

Belongs here: the roles, creating them, and telling the server at each connection and transaction who acts. Does not belong
here: what a role may do with which table (``row_security``).

There are four: ``owner`` owns the tables and migrates, ``pipeline`` syncs, ``portal`` serves customers, ``dagster`` has its
own database only. None is a superuser. Roles belong to the whole server, so their names begin with
``INTUNE_DATABASE_ROLE_PREFIX``. A process may sign in as its role, or as a user that is a member of it: the engine
then changes to the role. Where the roles do not exist, the user of the address works itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from psycopg2.extensions import encrypt_password
from sqlalchemy import Connection, Engine

DEFAULT_PREFIX: Final = "intune_"


class Role(StrEnum):
    """What a process is to the database."""

    OWNER = "owner"
    PIPELINE = "pipeline"
    PORTAL = "portal"
    DAGSTER = "dagster"

    def name_of(self, prefix: str) -> str:
        """The role's name on the server."""
        return f"{prefix}{self.value}"


@dataclass(frozen=True, slots=True)
class Acting:
    """As whom an engine's connections work.

    Attributes:
        role: the role to change to, where the user may.
        account: the slug of the only account to see; None for the pipeline sees every account, and for the portal the
            account of :func:`acting_for`, else nothing.
        prefix: of the roles' names.
    """

    role: Role
    account: str | None = None
    prefix: str = DEFAULT_PREFIX


class _Scope:
    """The account a request is for; shared by all contexts the request is served in."""

    def __init__(self, account_id: int | None = None) -> None:
        self.account_id = account_id


_scope: ContextVar[_Scope | None] = ContextVar("account_scope", default=None)
_person: ContextVar[str] = ContextVar("person", default="")


@contextmanager
def acting_person(subject: str) -> Iterator[None]:
    """What is done inside on an account's behalf is this person's; the audit log names them by it.

    Args:
        subject: the sign-in provider's id of the person.
    """
    token = _person.set(subject)
    try:
        yield
    finally:
        _person.reset(token)


def act_in_transaction(db: Connection, account_id: int) -> None:
    """Let the transaction that has just begun see one account only, and say who acts in it."""
    db.exec_driver_sql(_ACT, {"account_id": str(account_id), "person": _person.get()})


_ACT: Final = (
    "select set_config('app.account_id', %(account_id)s, true), set_config('app.actor_subject', %(person)s, true)"
)


@contextmanager
def acting_for(account_id: int | None) -> Iterator[None]:
    """Transactions the portal's engine begins inside see this account only; None: nothing, until :func:`act_for`."""
    token = _scope.set(_Scope(account_id))
    try:
        yield
    finally:
        _scope.reset(token)


def act_for(account_id: int) -> None:
    """From now on the current request is for this account, in whichever thread it goes on."""
    scope = _scope.get()
    if scope is not None:
        scope.account_id = account_id


@contextmanager
def in_account(db: Connection, account_id: int) -> Iterator[None]:
    """Inside a transaction, see another account's rows for a moment: where one account's deed ends something of another."""
    acting = db.scalar(sa.text("select coalesce(current_setting('app.account_id', true), '')"))
    change = sa.text("select set_config('app.account_id', :id, true)")
    db.execute(change, {"id": str(account_id)})
    yield
    db.execute(change, {"id": acting})


def attach(engine: Engine, acting: Acting) -> None:
    """Make every connection of an engine work as ``acting`` says."""
    role_name = acting.role.name_of(acting.prefix)

    def connected(dbapi_connection: Any, _: object) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute(_CHANGE_ROLE, {"role": role_name})
            if acting.role is Role.PORTAL:
                # Nobody's account, in case the user of the address owns the tables: an owner without one sees all.
                cursor.execute("select set_config('app.account_id', '0', false)")
            elif acting.role is Role.PIPELINE:
                cursor.execute("select set_config('app.every_account', 'on', false)")
                if acting.account is not None:
                    cursor.execute(_ONE_ACCOUNT, {"account": acting.account})
        dbapi_connection.commit()

    def began(db: Connection) -> None:
        scope = _scope.get()
        if scope is not None and scope.account_id is not None:
            # Through the driver: the transaction has not begun yet for SQLAlchemy.
            cursor = db.connection.cursor()
            cursor.execute(_ACT, {"account_id": str(scope.account_id), "person": _person.get()})
            cursor.close()

    sa.event.listen(engine, "connect", connected)
    if acting.role is Role.PORTAL:
        sa.event.listen(engine, "begin", began)


_CHANGE_ROLE = """
    select set_config('role', rolname, false) from pg_roles
    where rolname = %(role)s and rolname <> current_user and pg_has_role(session_user, oid, 'member')
"""
_ONE_ACCOUNT = """
    select set_config('app.account_id', coalesce((select id::text from accounts where slug = %(account)s), '0'), false),
           set_config('app.every_account', 'off', false)
"""


def missing(db: Connection, prefix: str) -> list[str]:
    """Names of the roles that the server does not have."""
    names = [role.name_of(prefix) for role in Role]
    known = set(db.scalars(sa.text("select rolname from pg_roles where rolname = any(:names)"), {"names": names}))
    return [name for name in names if name not in known]


def create(db: Connection, prefix: str, passwords: Mapping[Role, str]) -> None:
    """Create the roles that are missing, set the given passwords, and let the owner become the others.

    Args:
        db: a transaction of a user who may create roles.
        prefix: of their names.
        passwords: sent to the server in their SCRAM form only.
    """
    quote = db.dialect.identifier_preparer.quote
    absent = missing(db, prefix)
    for role in Role:
        name = role.name_of(prefix)
        if name in absent:
            db.exec_driver_sql(f"create role {quote(name)} login noinherit nocreatedb nocreaterole")
        if role in passwords:
            raw = db.connection.driver_connection
            secret = encrypt_password(passwords[role], name, raw, "scram-sha-256")
            db.exec_driver_sql(f"alter role {quote(name)} password '{secret}'")
    owner = quote(Role.OWNER.name_of(prefix))
    for role in (Role.PIPELINE, Role.PORTAL):
        db.exec_driver_sql(f"grant {quote(role.name_of(prefix))} to {owner}")
    join(db, Role.OWNER.name_of(prefix))


def join(db: Connection, role: str) -> None:
    """Make the session's user a member of a role: PostgreSQL 16 asks that even of who created the role."""
    if not db.scalar(sa.text("select pg_has_role(session_user, :role, 'usage')"), {"role": role}):
        db.exec_driver_sql(f"grant {db.dialect.identifier_preparer.quote(role)} to session_user")
