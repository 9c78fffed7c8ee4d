# ruff: noqa: S608 - statements of our own, made of constants
"""Row-level security: which account's rows a role sees, and what it may do with a table.

Belongs here: policies, privileges and the functions that look beyond one account, all derived from the tables in
``schema`` and applied at every upgrade, so that a new table is protected by having an account's column. Does not belong
here: the roles themselves and who acts for whom (``roles``).

A table is apart by the first of the columns ``account_id``, ``connection_id``, ``partition_key``, ``asset_id``, ``sync_run_id`` it
has;
``info={"apart_by": "SQL condition"}`` in its definition says something else, and ``info={"apart_by": None}`` that its
rows belong to no account. Each table has up to three policies:

- ``account``: rows of the account in ``app.account_id``. For everybody; without one, nothing.
- ``operator``: every row while no account is named. For the table's owner only: migrations, imports with plain SQL.
- ``pipeline``: every row while ``app.every_account`` is on. For the pipeline's role only: sensors, maintenance, commands.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from intune_pipeline.inventory.roles import Role
from intune_pipeline.inventory.schema import PIPELINE, accounts, metadata

ACCOUNT: Final = "nullif(current_setting('app.account_id', true), '')::bigint"
OPERATOR: Final = "(select coalesce(current_setting('app.account_id', true), '') = '')"
EVERY_ACCOUNT: Final = "(select current_setting('app.every_account', true) = 'on')"

#: Rows of an account, by the first of these columns a table has. An account has one connection, so that a scalar
#: subquery does, which an index on the column can use. Where another table says whose a row is, it is asked by its key alone:
#: with ``exists`` and the account in it, PostgreSQL would read all of a new account's assets for each row.
_CONDITIONS: Final[Mapping[str, str]] = {
    "account_id": f"account_id = {ACCOUNT}",
    "connection_id": f"connection_id = (select c.id from connections c where c.account_id = {ACCOUNT})",
    "partition_key": f"partition_key = (select c.slug from accounts c where c.id = {ACCOUNT})",
    "asset_id": "(select a.account_id from assets a where a.id = {table}.asset_id) = " + ACCOUNT,
    "sync_run_id": "(select c.account_id from sync_runs r join connections c on c.id = r.connection_id"
    " where r.id = {table}.sync_run_id) = " + ACCOUNT,
}

#: What a role may do with a table where it is not everything, by table.
APPEND_ONLY: Final = frozenset({"audit_log", "asset_changes"})
_PORTAL_READS: Final = frozenset(
    {"failed_devices", "device_details", "unknown_models", "erasures", "plan_lines", "heartbeats"}
)
#: What the portal reads and, to undo a run or approve a plan, writes in a few columns.
_PORTAL_WRITES: Final[Mapping[str, str]] = {
    "plans": "select, insert (connection_id, requested_by), update (status, approved_by, approved_at)",
    "sync_runs": "select, insert (connection_id, trigger, undoes_run_id, started_by), update (status, phase, finished_at,"
    " progress_at, cause, error, assets_created, assets_updated, assets_removed, employees_created, employees_removed)",
    "device_outcomes": "select, update (asset_id, outcome, reason)",
}
_PORTAL_NEVER: Final = frozenset({"alerts"})
#: What Intune's last list says about a device, shown beside what allwhere has.
_PORTAL_READS_FRAMES: Final = frozenset({"classified_devices", "snapshots"})


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of one table, as PostgreSQL is told."""

    table: str
    name: str
    role: str
    condition: str

    @property
    def mark(self) -> str:
        """What its comment holds: a policy is made anew only when this changes."""
        return hashlib.sha256(f"{self.role}\n{self.condition}".encode()).hexdigest()[:16]


def condition(table: Table) -> str | None:
    """The SQL condition for rows of the account in ``app.account_id``; None: rows of no account.

    Raises:
        LookupError: the table has no column that says so, and no ``apart_by``.
    """
    if "apart_by" in table.info:
        declared: str | None = table.info["apart_by"]
        return declared
    if table is accounts:
        return f"id = {ACCOUNT}"
    for column, found in _CONDITIONS.items():
        if column in table.c:
            return found.format(table=table.name)
    raise LookupError(f"Whose rows {table.fullname} holds is not said; give it info={{'apart_by': …}}.")


def protect(db: Connection, prefix: str) -> None:
    """Put every table's row-level security, and the roles' privileges where there are roles, as this version says.

    Changes only what differs, so that it may run beside syncs. Run as the tables' owner, in a transaction.
    """
    quote = db.dialect.identifier_preparer.quote
    owner = str(db.scalar(sa.text("select current_user")))
    present = {
        role: role.name_of(prefix)
        for role in (Role.PIPELINE, Role.PORTAL)
        if db.scalar(
            sa.text("select exists (select from pg_roles where rolname = :name)"), {"name": role.name_of(prefix)}
        )
    }
    existing = {(row.relation, row.polname): row.mark for row in db.execute(_POLICIES)}
    forced = set(db.scalars(_FORCED))
    wanted = {(one.table, one.name): one for one in policies(owner, present.get(Role.PIPELINE))}
    for table in {one.table for one in wanted.values()} - forced:
        db.exec_driver_sql(f"alter table {table} enable row level security, force row level security")
    for key, mark in existing.items():
        if key not in wanted or wanted[key].mark != mark:
            db.exec_driver_sql(f"drop policy {key[1]} on {key[0]}")
    for key, policy in wanted.items():
        if existing.get(key) != policy.mark:
            role = "public" if policy.role == "public" else quote(policy.role)
            db.exec_driver_sql(f"create policy {policy.name} on {policy.table} to {role} using ({policy.condition})")
            db.exec_driver_sql(f"comment on policy {policy.name} on {policy.table} is '{policy.mark}'")
    _create_functions(db)
    for role, name in present.items():
        _grant(db, role, quote(name))


def policies(owner: str, pipeline: str | None) -> list[Policy]:
    """The policies there must be.

    Args:
        owner: who owns the tables.
        pipeline: the pipeline's role, None where there are no roles.
    """
    found = []
    for table in metadata.sorted_tables:
        if (rows := condition(table)) is None:
            continue
        found.append(Policy(table.fullname, "account", "public", rows))
        found.append(Policy(table.fullname, "operator", owner, OPERATOR))
        if pipeline is not None:
            found.append(Policy(table.fullname, "pipeline", pipeline, EVERY_ACCOUNT))
    return found


def privileges(role: Role, table: Table) -> str:
    """What a role may do with a table; "" for nothing."""
    if role is Role.PORTAL:
        if table.schema == PIPELINE:
            return "select" if table.name in _PORTAL_READS_FRAMES else ""
        if table.name in _PORTAL_NEVER:
            return ""
        if table.name in _PORTAL_READS:
            return "select"
        if table.name in _PORTAL_WRITES:
            return _PORTAL_WRITES[table.name]
        if table is accounts:
            # PostgreSQL asks for the right to change a column before it locks the row, as rules do.
            return "select, update (name)"
    return "select, insert" if table.name in APPEND_ONLY else "select, insert, update, delete"


def unprotected(db: Connection) -> list[str]:
    """Tables of accounts without forced row-level security or without a policy, by name."""
    marked = {row.relation for row in db.execute(_POLICIES) if row.polname == "account"}
    forced = set(db.scalars(_FORCED))
    return [
        table.fullname
        for table in metadata.sorted_tables
        if condition(table) is not None and not {table.fullname} <= marked & forced
    ]


def _grant(db: Connection, role: Role, name: str) -> None:
    schema = db.dialect.identifier_preparer.quote(str(db.scalar(sa.text("select current_schema()"))))
    db.exec_driver_sql(f"grant usage on schema {schema} to {name}")
    db.exec_driver_sql(f"grant usage on schema {PIPELINE} to {name}")
    for table in metadata.sorted_tables:
        # What an earlier version gave and this one does not is taken back.
        db.exec_driver_sql(f"revoke all on {table.fullname} from {name}")
        if allowed := privileges(role, table):
            db.exec_driver_sql(f"grant {allowed} on {table.fullname} to {name}")
        for sequence in db.scalars(_SEQUENCES, {"table": table.fullname}):
            db.exec_driver_sql(f"grant usage on sequence {sequence} to {name}")
    db.exec_driver_sql(f"grant select on {VERSION} to {name}")
    for function, to in _FUNCTION_ROLES.items():
        if role in to:
            db.exec_driver_sql(f"grant execute on function {function} to {name}")


VERSION: Final = "intune_pipeline_version"

_POLICIES = sa.text("""
    select polrelid::regclass::text as relation, polname, obj_description(oid, 'pg_policy') as mark
    from pg_policy where polname in ('account', 'operator', 'pipeline')
      and obj_description(oid, 'pg_policy') ~ '^[0-9a-f]{16}$'
""")
_FORCED = sa.text("select oid::regclass::text from pg_class where relrowsecurity and relforcerowsecurity")
_SEQUENCES = sa.text("""
    select d.objid::regclass::text from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.refobjid = cast(cast(:table as text) as regclass) and d.classid = 'pg_class'::regclass
      and d.deptype in ('a', 'i')
""")

# Each names no account while it runs, so that its definer, the tables' owner, sees every row; each tells one thing only.
_DEFINER: Final = "security definer set search_path = {schema}, pg_temp language plpgsql"
_FUNCTIONS: Final = (
    f"""create or replace function account_of_organization(wanted_id text, wanted_slug text)
       returns table (id bigint, slug text, name text, bound boolean) {_DEFINER} as $$
       declare
           acting text := coalesce(current_setting('app.account_id', true), '');
       begin
           perform set_config('app.account_id', '', true);
           return query select a.id, a.slug, a.name, false from accounts a where a.org_id = wanted_id;
           if not found then
               return query update accounts a set org_id = wanted_id
                   where a.slug = wanted_slug and a.org_id is null returning a.id, a.slug, a.name, true;
           end if;
           perform set_config('app.account_id', acting, true);
       end $$""",
    f"""create or replace function accounts_being_verified() returns setof bigint {_DEFINER} as $$
       declare
           acting text := coalesce(current_setting('app.account_id', true), '');
       begin
           perform set_config('app.account_id', '', true);
           return query select c.account_id from connections c where c.status = 'verifying' order by c.account_id;
           perform set_config('app.account_id', acting, true);
       end $$""",
    f"""create or replace function end_mails(wanted text) returns boolean {_DEFINER} as $$
       declare
           acting text := coalesce(current_setting('app.account_id', true), '');
           ended bigint;
       begin
           perform set_config('app.account_id', '', true);
           delete from mail_subscriptions s where s.unsubscribe_token = wanted;
           get diagnostics ended = row_count;
           perform set_config('app.account_id', acting, true);
           return ended > 0;
        end $$""",
    f"""create or replace function webhooks_due(moment timestamptz, look interval)
       returns table (account_id bigint, webhook_id uuid) {_DEFINER} as $$
       declare
           acting text := coalesce(current_setting('app.account_id', true), '');
       begin
           perform set_config('app.account_id', '', true);
           return query select w.account_id, w.id from webhooks w
               where (w.claimed_until is null or w.claimed_until < moment)
                 and (w.status = 'on' and w.next_try_at <= moment and (
                       'needs.changed' = any(w.events) and w.needs_looked_at <= moment - look
                       or exists (select from change_events e
                                  where e.account_id = w.account_id and e.transaction_id >= w.read_to)
                       or exists (select from webhook_deliveries d where d.webhook_id = w.id and d.status = 'waiting'))
                   or exists (select from webhook_deliveries d
                              where d.webhook_id = w.id and d.status = 'waiting' and d.asked_by is not null))
               order by w.next_try_at limit 100;
           perform set_config('app.account_id', acting, true);
       end $$""",
    f"""create or replace function owner_of_tenant(wanted text) returns bigint {_DEFINER} as $$
       declare
           acting text := coalesce(current_setting('app.account_id', true), '');
           owner bigint;
       begin
           perform set_config('app.account_id', '', true);
           owner := coalesce(
               (select t.account_id from tenant_owners t where t.tenant_id = wanted),
               (select c.account_id from connections c where c.tenant_id = wanted limit 1));
           perform set_config('app.account_id', acting, true);
           return owner;
       end $$""",
    f"""create or replace function accounts_verifying_tenant(wanted text)
       returns table (id bigint, slug text) {_DEFINER} as $$
       declare
           acting text := coalesce(current_setting('app.account_id', true), '');
       begin
           perform set_config('app.account_id', '', true);
           return query select a.id, a.slug from connections c join accounts a on a.id = c.account_id
               where c.candidate_tenant_id = wanted and c.status = 'verifying' order by a.id;
           perform set_config('app.account_id', acting, true);
       end $$""",
    f"""create or replace function forget_audit_log(older_than interval) returns bigint {_DEFINER} as $$
       declare
           acting text := coalesce(current_setting('app.account_id', true), '');
           one record;
           gone bigint := 0;
           deleted bigint;
       begin
           if older_than < interval '90 days' then
               raise exception 'the audit log is kept for 90 days at least';
           end if;
           perform set_config('app.account_id', '', true);
           for one in
               select distinct on (l.account_id) l.account_id, l.id, l.hash from audit_log l
               where l.at < now() - older_than order by l.account_id, l.id desc
           loop
               insert into audit_log (account_id, actor, action, details)
               values (one.account_id, 'maintenance', 'forget', jsonb_build_object('last_hash', one.hash));
               delete from audit_log l where l.account_id = one.account_id and l.id <= one.id;
               get diagnostics deleted = row_count;
               gone := gone + deleted;
           end loop;
           perform set_config('app.account_id', acting, true);
           return gone;
       end $$""",
)
_FUNCTION_ROLES: Final[Mapping[str, frozenset[Role]]] = {
    "account_of_organization(text, text)": frozenset({Role.PORTAL}),
    "accounts_being_verified()": frozenset({Role.PORTAL}),
    "end_mails(text)": frozenset({Role.PORTAL}),
    "accounts_verifying_tenant(text)": frozenset({Role.PORTAL, Role.PIPELINE}),
    "owner_of_tenant(text)": frozenset({Role.PORTAL, Role.PIPELINE}),
    "forget_audit_log(interval)": frozenset({Role.PIPELINE}),
    "webhooks_due(timestamptz, interval)": frozenset({Role.PORTAL}),
}
#: Those of the migrations and these.
FUNCTION_NAMES: Final = (
    "audit_content_digest",
    "audit_hash",
    "audit_chained",
    *(function.partition("(")[0] for function in _FUNCTION_ROLES),
)


def _create_functions(db: Connection) -> None:
    schema = db.dialect.identifier_preparer.quote(str(db.scalar(sa.text("select current_schema()"))))
    for function in _FUNCTIONS:
        db.exec_driver_sql(function.replace("{schema}", schema))
    for function in _FUNCTION_ROLES:
        db.exec_driver_sql(f"revoke execute on function {function} from public")
