"""Bad input is one clear sentence, the right exit status, and nothing written."""

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import schema


def assert_one_sentence(answer, status, *words):
    assert answer.status == status, answer
    lines = answer.err.strip().splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in answer.err
    for word in words:
        assert word in lines[-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTUNE_DETAILS", "maybe"),
        ("INTUNE_RUN_DEADLINE_MINUTES", "soon"),
        ("ALLWHERE_DATABASE_URL", "mysql://localhost/allwhere"),
        ("BYPASS_CODE_KEYS", "short"),
    ],
)
def test_a_malformed_setting(stores, environment, command, name, value):
    environment.setenv(name, value)
    assert_one_sentence(command("connections", "list"), 2, name)


def test_an_http_address_of_microsoft(stores, environment, command):
    environment.setenv("MICROSOFT_CLIENT_ID", "app")
    environment.setenv("MICROSOFT_CLIENT_SECRET", "hush")
    environment.setenv("MICROSOFT_GRAPH_URL", "http://127.0.0.1:1")
    command("connections", "add", "acme", "--tenant-id", "0f2c1e5a-1234-5678-9abc-def012345678")
    for arguments in (("sync", "acme"), ("plan", "acme")):
        assert_one_sentence(command(*arguments), 2, "MICROSOFT_GRAPH_URL", "https")


def test_a_database_that_does_not_answer(environment, command):
    environment.setenv("ALLWHERE_DATABASE_URL", "postgresql://user:hush@127.0.0.1:1/allwhere")
    answer = command("connections", "list")
    assert_one_sentence(answer, 1, "127.0.0.1:1", "ALLWHERE_DATABASE_URL")
    assert "hush" not in answer.err


def test_a_database_without_migrations(environment, command, new_database):
    environment.setenv("ALLWHERE_DATABASE_URL", new_database())
    environment.setenv("DAGSTER_POSTGRES_URL", new_database())
    assert_one_sentence(command("connections", "list"), 2, "intune-pipeline db upgrade")


@pytest.mark.parametrize("tenant_id", ["nope", "", "0f2c1e5a-1234-5678-9abc-def01234567", "contoso.onmicrosoft.com"])
def test_a_malformed_tenant_id_connects_nothing(stores, engine, command, tenant_id):
    assert_one_sentence(command("connections", "add", "acme", "--tenant-id", tenant_id), 2, "tenant id")
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(schema.accounts)) == 0
        assert db.scalar(sa.select(sa.func.count()).select_from(schema.connections)) == 0


def test_a_malformed_account_name(stores, command):
    tenant_id = "0f2c1e5a-1234-5678-9abc-def012345678"
    assert_one_sentence(command("connections", "add", "Acme Inc", "--tenant-id", tenant_id), 2, "slug")


@pytest.mark.parametrize(
    "arguments",
    [("sync",), ("plan",), ("why", "SERIAL"), ("connections", "remove"), ("holds", "list"), ("rules", "list")],
)
def test_an_unknown_account(stores, cloud, command, arguments):
    head, *rest = arguments
    line = [head, "nobody", *rest] if head == "why" else [*arguments, "nobody"]
    assert_one_sentence(command(*line), 2, "nobody")


def test_an_unknown_command_and_a_missing_argument(command):
    assert command("synchronise").status == 2
    assert command("sync").status == 2
    assert command("connections", "set", "acme").status == 2


def test_a_tenant_that_microsoft_does_not_know_fails_the_sync_and_writes_no_asset(stores, cloud, engine, command):
    assert command("db", "upgrade").status == 0
    command("connections", "add", "acme", "--tenant-id", "0f2c1e5a-1234-5678-9abc-def012345678")
    answer = command("sync", "acme", "--json")
    assert_one_sentence(answer, 1, "0f2c1e5a-1234-5678-9abc-def012345678")
    assert answer.json()["status"] == "failed"
    assert_one_sentence(command("plan", "acme"), 1)
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(schema.assets)) == 0
        run = db.execute(sa.select(schema.sync_runs)).one()
    assert run.status == "failed"
    assert run.error


def test_ending_sessions_wants_to_know_whose(stores, command):
    for arguments in ((), ("acme", "--all"), ("--all", "--subject", "x")):
        answer = command("sessions", "end", *arguments)
        assert answer.status == 2
        assert "--all" in answer.err
    assert_one_sentence(command("sessions", "end", "acme"), 2, "no account 'acme'")
    assert command("accounts", "organization", "acme").status == 2
