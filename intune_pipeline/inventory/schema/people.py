"""Employees, their addresses, and what is known about who is one person and who is not."""

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.domain.vocabulary import EmailKind
from intune_pipeline.inventory.schema.base import metadata, now, one_of

employees = Table(
    "employees",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("first_name", Text, nullable=False, comment="the person's first name"),
    Column("last_name", Text, nullable=False, comment="the person's last name"),
    Column("sync_run_id", BigInteger, comment="the sync run that created the employee, null for people's own entries"),
    now("created_at", "when the row came"),
    UniqueConstraint("id", "account_id"),
    # With the id, so that the check of a foreign key that PostgreSQL plans by this index reads one row, not the account's.
    Index(None, "account_id", "id"),
    comment="people who can hold an asset",
)

employee_emails = Table(
    "employee_emails",
    metadata,
    Column("employee_id", BigInteger, nullable=False, comment="the employee's row"),
    Column("account_id", BigInteger, primary_key=True, comment="the account's row"),
    Column("email", Text, nullable=False, comment="as entered"),
    Column("kind", Text, nullable=False, server_default=EmailKind.WORK, comment="work or personal; both match"),
    Column(
        "email_key",
        Text,
        Computed("lower(btrim(email))", persisted=True),
        primary_key=True,
        comment="compared form: trimmed, lower case",
    ),
    ForeignKeyConstraint(["employee_id", "account_id"], ["employees.id", "employees.account_id"], ondelete="CASCADE"),
    one_of("kind", EmailKind),
    Index(None, "employee_id"),
    comment="e-mail addresses of employees; each once per account, compared without case",
)

different_people = Table(
    "different_people",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("employee_id", ForeignKey("employees.id", ondelete="CASCADE"), primary_key=True, comment="the lower id"),
    Column("other_id", ForeignKey("employees.id", ondelete="CASCADE"), primary_key=True, comment="the higher id"),
    Column("declared_by", Text, nullable=False, comment="who said so"),
    now("declared_at", "when"),
    Index(None, "other_id"),
    comment="employees who look alike and are different people, as somebody said",
)

merged_employees = Table(
    "merged_employees",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column(
        "kept_id",
        ForeignKey("employees.id", ondelete="CASCADE"),
        nullable=False,
        comment="the employee the other one became",
    ),
    Column("merged_id", BigInteger, nullable=False, comment="the id of the one who went"),
    Column("content", JSONB, nullable=False, comment="the row, its addresses and assets, so that it can come back"),
    Column("merged_by", Text, nullable=False, comment="who merged them"),
    now("merged_at", "when"),
    Index(None, "kept_id"),
    comment="employees who were found to be another one and merged into them",
)

known_users = Table(
    "known_users",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True, comment="the connection's row"),
    Column("user_id", Text, primary_key=True, comment="Entra's id of the user, lower case"),
    Column("principal_name", Text, nullable=False, comment="compared user principal name, empty where there was none"),
    Column("employee_id", ForeignKey("employees.id", ondelete="CASCADE"), nullable=False, comment="the employee's row"),
    Index(None, "employee_id"),
    comment="which employee a user of Entra stands for, so that a new e-mail does not make a second one",
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="generated"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="the account's row"),
    Column("pseudonym", Text, nullable=False, comment="what stands where the person was named"),
    Column("salt", Text, nullable=False, comment="of the digests; random"),
    Column("digests", JSONB, nullable=False, comment="salted SHA-256 of each address and Entra user id"),
    Column("reason", Text, nullable=False, comment="in the operator's own words"),
    Column("erased_by", Text, nullable=False, comment="who erased"),
    now("erased_at", "when"),
    Index(None, "account_id"),
    comment="people who were erased and whom no sync brings back while the row stands",
)
