# ruff: noqa: S608 - statements of our own, made of constants
"""Audit rows chained by hash, a data key per account for bypass codes, erased people.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Chain the rows there are, in the order they came."""
    for table, column in (("assets", "activation_lock_bypass_code"), ("device_details", "bypass_code")):
        name = op.f(f"{table}_bypass_code_ciphertext_check")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, f"{column} like 'gAAAA%' or {column} like 'v1.%'")
        op.alter_column(
            table,
            column,
            comment="ciphertext, never plaintext",
            existing_comment="ciphertext (Fernet), never plaintext",
        )
    op.create_table(
        "account_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("wrapped_key", sa.Text(), nullable=False, comment="the data key, encrypted with BYPASS_CODE_KEYS"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("account_keys_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("account_keys_pkey")),
        comment="the keys that encrypt an account's bypass codes, themselves encrypted; the newest that opens seals",
    )
    op.create_index(op.f("account_keys_account_id_idx"), "account_keys", ["account_id"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("pseudonym", sa.Text(), nullable=False, comment="what stands where the person was named"),
        sa.Column("salt", sa.Text(), nullable=False, comment="of the digests; random"),
        sa.Column("digests", JSONB(), nullable=False, comment="salted SHA-256 of each address and Entra user id"),
        sa.Column("reason", sa.Text(), nullable=False, comment="in the operator's own words"),
        sa.Column("erased_by", sa.Text(), nullable=False, comment="who erased"),
        sa.Column(
            "erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("erasures_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("erasures_pkey")),
        comment="people who were erased and whom no sync brings back while the row stands",
    )
    op.create_index(op.f("erasures_account_id_idx"), "erasures", ["account_id"])
    op.create_table_comment(
        "audit_log",
        "connects, changes, releases, reveals; a trigger chains each account's rows, which are never changed",
        existing_comment="connects, changes, releases, reveals",
    )
    _chain_audit()


def _chain_audit() -> None:
    for name, comment in (
        ("salt", "of content_digest; random, null once the person in the row was erased"),
        ("content_digest", "SHA-256 of salt, actor, subject, reason and details"),
        ("previous_hash", "hash of the account's row before, empty for the first"),
        ("hash", "SHA-256 of previous_hash, id, account, action, time and content_digest"),
    ):
        op.add_column("audit_log", sa.Column(name, sa.Text(), nullable=True, comment=comment))
    schema = op.get_bind().dialect.identifier_preparer.quote(
        str(op.get_bind().scalar(sa.text("select current_schema()")))
    )
    op.execute("""
        create function audit_content_digest(salt text, actor text, subject text, reason text, details jsonb) returns text
        immutable language sql as $$
            select encode(sha256(convert_to(jsonb_build_array(salt, actor, subject, reason, details)::text, 'UTF8')), 'hex')
        $$
    """)
    op.execute("""
        create function audit_hash(
            previous_hash text, id bigint, account_id bigint, action text, at timestamptz, content_digest text
        ) returns text immutable language sql as $$
            select encode(sha256(convert_to(jsonb_build_array(
                previous_hash, id, account_id, action, extract(epoch from at), content_digest)::text, 'UTF8')), 'hex')
        $$
    """)
    op.execute(f"""
        create function audit_chained() returns trigger language plpgsql set search_path = {schema}, pg_temp as $$
        begin
            -- One writer per account at a time, until it commits; the id is drawn afterwards, so that ids follow the chain.
            perform pg_advisory_xact_lock({0x1A7E_0003}, hashint8(new.account_id));
            new.id := nextval(pg_get_serial_sequence('audit_log', 'id'));
            new.salt := gen_random_uuid()::text;
            new.previous_hash := coalesce(
                (select l.hash from audit_log l where l.account_id = new.account_id order by l.id desc limit 1), '');
            new.content_digest := audit_content_digest(new.salt, new.actor, new.subject, new.reason, new.details);
            new.hash := audit_hash(
                new.previous_hash, new.id, new.account_id, new.action, new.at, new.content_digest);
            return new;
        end $$
    """)
    op.execute("""
        do $$
        declare
            one record;
            previous text;
            of_account bigint;
            new_salt text;
            digest text;
        begin
            for one in select * from audit_log order by account_id, id loop
                if of_account is distinct from one.account_id then
                    of_account := one.account_id;
                    previous := '';
                end if;
                new_salt := gen_random_uuid()::text;
                digest := audit_content_digest(new_salt, one.actor, one.subject, one.reason, one.details);
                update audit_log set salt = new_salt, content_digest = digest, previous_hash = previous,
                    hash = audit_hash(previous, one.id, one.account_id, one.action, one.at, digest)
                where id = one.id returning hash into previous;
            end loop;
        end $$
    """)
    for name in ("content_digest", "previous_hash", "hash"):
        op.alter_column("audit_log", name, nullable=False)
    op.create_index("audit_log_chain_idx", "audit_log", ["account_id", "id"])
    op.execute("create trigger audit_chained before insert on audit_log for each row execute function audit_chained()")
