"""``db upgrade --roles``: from an administrator's empty database to four roles, each with what it needs."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from intune_pipeline.cli import database as command
from intune_pipeline.cli import doctor
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres

PREFIX = "first_"


@pytest.fixture
def address(
    postgres: EmbeddedPostgres,
    maintenance: sa.Engine,
    new_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str, str], str]]:
    """``address("portal", "allwhere")`` is the address of one of the two databases for a role; the settings are set."""
    allwhere, dagster = (sa.make_url(new_database()).database or "" for _ in range(2))

    def of(role: str, database: str) -> str:
        url = postgres.url(allwhere if database == "allwhere" else dagster)
        return url if role == "administrator" else url.replace("postgres@", f"{PREFIX}{role}@")

    monkeypatch.setenv("INTUNE_DATABASE_ROLE_PREFIX", PREFIX)
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", of("administrator", "allwhere"))
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", of("dagster", "dagster"))
    monkeypatch.setenv("INTUNE_PORTAL_PASSWORD", "a-password")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    yield of
    with maintenance.connect() as db:
        for name in (allwhere, dagster):
            db.exec_driver_sql(f"drop database {name} with (force)")
        db.exec_driver_sql(
            f"drop role {', '.join(PREFIX + role for role in ('owner', 'pipeline', 'portal', 'dagster'))}"
        )
        # The fixture that made them drops them again.
        for name in (allwhere, dagster):
            db.exec_driver_sql(f"create database {name}")


def test_an_administrator_creates_the_roles_and_each_process_then_signs_in_as_its_own(
    address: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for _ in range(2):
        done = CliRunner().invoke(command.group, ["upgrade", "--roles"])
        assert done.exit_code == 0, done.output + str(done.exception)
    assert "Roles: first_owner, first_pipeline, first_portal, first_dagster" in done.output

    def asks(role: str, database: str, sql: str) -> object:
        engine = sa.create_engine(address(role, database), poolclass=sa.NullPool)
        with engine.connect() as db:
            return db.exec_driver_sql(sql).scalar()

    assert (
        asks("administrator", "allwhere", "select tableowner from pg_tables where tablename = 'assets'")
        == "first_owner"
    )
    assert (
        asks("administrator", "dagster", "select tableowner from pg_tables where tablename = 'runs'") == "first_dagster"
    )
    assert asks("portal", "allwhere", "select count(*) from assets") == 0
    assert asks("dagster", "dagster", "select count(*) from runs") == 0
    with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
        asks("portal", "dagster", "select 1")
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied for table assets"):
        asks("dagster", "allwhere", "select count(*) from assets")
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied for schema public"):
        asks("portal", "allwhere", "create table mine (n int)")

    # From now on without the administrator.
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", address("owner", "allwhere"))
    assert CliRunner().invoke(command.group, ["upgrade"]).exit_code == 0
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", address("pipeline", "allwhere"))
    said = CliRunner().invoke(doctor.command).output
    assert "✓ row-level security: in force, for first_pipeline too" in said
    assert "✓ audit log: every account's chain holds" in said
