"""Operators link, move and check tenants from the command line."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import DirectoryRole
from intune_pipeline.inventory import accounts, connections, linking
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.cli.conftest import Answer

Command = Callable[..., Answer]


@pytest.fixture
def tenant_id(stores: None, cloud: SandboxCloud) -> str:
    """A tenant nobody has linked, and the stores."""
    return cloud.tenants[0].tenant_id


def test_a_linked_tenant_changes_accounts_only_by_move(tenant_id: str, command: Command, engine: sa.Engine) -> None:
    command("connections", "add", "acme", "--tenant-id", tenant_id)
    command("connections", "remove", "acme")
    refused = command("connections", "add", "globex", "--tenant-id", tenant_id)
    assert refused.status == 2
    assert f"connections move {tenant_id} --to" in refused.err
    with engine.begin() as db:
        accounts.create(db, "globex")

    moved = command("connections", "move", tenant_id, "--to", "globex", "--reason", "acme was bought")
    assert moved.status == 0
    assert "belongs to globex now and no longer to acme" in moved.out
    listed = command("connections", "list").out
    assert "allwhere moved your Microsoft tenant" in " ".join(listed.split())
    assert command("connections", "add", "globex", "--tenant-id", tenant_id).status == 0
    assert command("connections", "add", "acme", "--tenant-id", tenant_id).status == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "acme"), "Missing option"),
        (("--to", "acme", "--reason", " "), "Say why"),
        (("--to", "acme", "--reason", "r"), "belongs to acme already"),
        (("--to", "nobody", "--reason", "r"), "nobody"),
    ],
)
def test_a_move_that_cannot_be_is_one_sentence(
    tenant_id: str, command: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    command("connections", "add", "acme", "--tenant-id", tenant_id)
    refused = command("connections", "move", tenant_id, *arguments)
    assert refused.status == 2
    assert sentence in refused.err


def test_doctor_says_what_the_last_sign_in_told_of_roles(tenant_id: str, command: Command, engine: sa.Engine) -> None:
    assert "not known before the first sign-in" in command("doctor").out
    proof = linking.Proof(
        tenant_id, "oid", "admin@acme.example", frozenset({DirectoryRole.GLOBAL_ADMINISTRATOR}), datetime.now(UTC)
    )
    with engine.begin() as db:
        acme = accounts.create(db, "acme")
        linking.refused(db, acme.id, actor="petra", tenant_id=tenant_id, why="roles_not_told", proof=proof)
    missing = command("doctor")
    assert missing.status == 1
    assert "set groupMembershipClaims to DirectoryRole" in missing.out
    with engine.begin() as db:
        linking.bind(db, "acme", proof, actor="petra")
        db.execute(sa.text("update connections set proven_at = now() + interval '1 second'"))
    assert "told by the last sign-in at Microsoft" in command("doctor").out


def test_connecting_again_keeps_settings(tenant_id: str, command: Command, engine: sa.Engine) -> None:
    command("connections", "add", "acme", "--tenant-id", tenant_id, "--mdm-assignee-updates")
    command("connections", "remove", "acme")
    command("connections", "add", "acme", "--tenant-id", tenant_id)
    with engine.connect() as db:
        assert connections.get(db, "acme").mdm_assignee_updates
