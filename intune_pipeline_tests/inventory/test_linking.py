"""An account gets a tenant by proving its administrator and its grant, keeps it, and loses it to an operator only."""

import importlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import DirectoryRole
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import (
    accounts,
    audit,
    connections,
    database,
    linking,
    sync_requests,
    tenant_moves,
    tenant_owners,
)
from intune_pipeline.inventory.linking import Proof, TenantMismatchError
from intune_pipeline.inventory.tenant_owners import TenantLinkedElsewhereError
from intune_pipeline_tests.conftest import ConnectedAccount

TENANT = "0f2c1e5a-1234-5678-9abc-def012345678"
OTHER = "1f2c1e5a-1234-5678-9abc-def012345678"


def proof(tenant_id: str = TENANT) -> Proof:
    role = DirectoryRole.GLOBAL_ADMINISTRATOR
    return Proof(tenant_id, "an-oid", "admin@acme.example", frozenset({role}), datetime.now(UTC))


@pytest.fixture
def two_accounts(engine: sa.Engine) -> None:
    with engine.begin() as db:
        accounts.create(db, "acme")
        accounts.create(db, "globex")


def test_add_connects_at_once_and_is_audited(engine: sa.Engine) -> None:
    with engine.begin() as db:
        record = linking.add(db, "acme", TENANT.upper(), actor="operator:me", name="Acme", mdm_assignee_updates=True)
        assert (record.tenant_id, record.status, record.mdm_assignee_updates) == (TENANT, "connected", True)
        assert record.connected_at is not None
        assert connections.tenants_of(db) == [connections.Tenant(record.id, "acme", TENANT, "connected")]
        assert [(e.actor, e.action, e.subject) for e in audit.entries(db, "acme")] == [
            ("operator:me", "connect", TENANT)
        ]


@pytest.mark.parametrize("tenant_id", ["contoso.com", "", "0f2c1e5a", TENANT + "0"])
def test_a_malformed_tenant_id_is_refused(engine: sa.Engine, tenant_id: str) -> None:
    with engine.begin() as db, pytest.raises(WrongUseError, match="is no tenant id"):
        linking.add(db, "acme", tenant_id, actor="me")


def test_an_administrators_sign_in_is_noted_and_reserves_nothing(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        noted = linking.bind(db, "acme", proof(TENANT.upper()), actor="petra")
        assert (noted.status, noted.tenant_id, noted.candidate_tenant_id) == ("verifying", None, TENANT)
        assert linking.bind(db, "globex", proof(), actor="george").status == "verifying"
        assert tenant_owners.owner_of(db, TENANT) is None
        with pytest.raises(connections.NotConnectedError, match="no tenant is proven yet"):
            connections.syncable(db, "acme")


def test_who_proved_a_tenant_is_on_the_connection_and_in_the_audit_log(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        assert linking.claim(db, linking.bind(db, "acme", proof(), actor="petra"))
        linked = connections.get(db, "acme")
        (entry,) = audit.entries(db, "acme")
    assert (linked.status, linked.tenant_id, linked.candidate_tenant_id) == ("connected", TENANT, None)
    assert (linked.proven_by_oid, linked.proven_by_upn) == ("an-oid", "admin@acme.example")
    assert linked.proven_by_roles == ["global_administrator"]
    assert linked.proven_at is not None
    assert "admin@acme.example" not in repr(linked)
    assert (entry.actor, entry.action, entry.subject) == ("petra", "connect", TENANT)
    assert (entry.details["signed_in_as"], entry.details["object_id"]) == ("admin@acme.example", "an-oid")
    assert entry.details["directory_roles"] == "global_administrator"


def test_the_first_whose_grant_is_proven_gets_the_tenant_and_the_others_are_told(
    engine: sa.Engine, two_accounts: None
) -> None:
    with engine.begin() as db:
        early = linking.bind(db, "acme", proof(), actor="petra")
        real = linking.bind(db, "globex", proof(), actor="george")
        assert linking.claim(db, real)
        ended = connections.get(db, "acme")
        assert (ended.status, ended.status_cause, ended.candidate_tenant_id) == ("pending", "overtaken", None)
        assert "Another allwhere account proved this Microsoft tenant first" in str(ended.status_message)
        (told,) = audit.entries(db, "acme")
        assert (told.action, told.subject, told.details) == ("connect_refused", TENANT, {"why": "overtaken"})
        with pytest.raises(TenantLinkedElsewhereError):
            linking.claim(db, early)
        assert connections.get(db, "acme").tenant_id is None


def test_a_verification_that_was_ended_or_begun_anew_claims_nothing(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        first = linking.bind(db, "acme", proof(), actor="petra")
        linking.bind(db, "acme", proof(OTHER), actor="petra")
        assert not linking.claim(db, first), "it verifies another tenant by now"
        assert not linking.end_verifying(db, first, "error", "outage", "Too late.")
        second = connections.get(db, "acme")
        connections.disconnect(db, "acme", actor="petra")
        assert not linking.claim(db, second)
        assert tenant_owners.owner_of(db, TENANT) is tenant_owners.owner_of(db, OTHER) is None


def test_a_grant_proven_twice_connects_once(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        verifying = linking.bind(db, "acme", proof(), actor="petra")
        assert linking.claim(db, verifying)
        assert not linking.claim(db, verifying)
        assert len(audit.entries(db, "acme")) == 1


def test_a_tenant_belongs_to_one_account_also_after_a_disconnect(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        linking.add(db, "acme", TENANT, actor="me")
        with pytest.raises(TenantLinkedElsewhereError, match="already linked to another allwhere account"):
            linking.bind(db, "globex", proof(), actor="me")
        connections.disconnect(db, "acme", actor="me")
        for attempt in (lambda: linking.bind(db, "globex", proof(), actor="me"),
                        lambda: linking.add(db, "globex", TENANT, actor="me")):  # fmt: skip
            with pytest.raises(TenantLinkedElsewhereError, match="connections move"):
                attempt()
        assert linking.bind(db, "acme", proof(), actor="me").status == "verifying"


def test_a_tenant_stays_with_its_account_when_that_connects_another(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        linking.add(db, "acme", TENANT, actor="me")
        connections.disconnect(db, "acme", actor="me")
        linking.add(db, "acme", OTHER, actor="me")
        with pytest.raises(TenantLinkedElsewhereError):
            linking.bind(db, "globex", proof(), actor="me")


def test_a_connection_written_by_hand_owns_its_tenant_too(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    acme = connect_account("acme", tenant_id=TENANT)
    with engine.begin() as db:
        accounts.create(db, "globex")
        with pytest.raises(TenantLinkedElsewhereError):
            linking.bind(db, "globex", proof(), actor="me")
        connections.disconnect(db, acme.slug, actor="me")
        with pytest.raises(TenantLinkedElsewhereError):
            linking.bind(db, "globex", proof(), actor="me")
        linking.add(db, "acme", OTHER, actor="me")
        with pytest.raises(TenantLinkedElsewhereError):
            linking.bind(db, "globex", proof(), actor="me")


def test_of_many_accounts_that_claim_a_tenant_at_once_one_gets_it(engine: sa.Engine) -> None:
    slugs = [f"account-{number}" for number in range(8)]
    with engine.begin() as db:
        for slug in slugs:
            accounts.create(db, slug)
        verifying = [linking.bind(db, slug, proof(), actor="me") for slug in slugs]
    outcomes: list[str] = []
    barrier = threading.Barrier(len(slugs))

    def claim(connection: connections.Record) -> None:
        barrier.wait()
        try:
            with engine.begin() as db:
                outcomes.append("linked" if linking.claim(db, connection) else "ended")
        except TenantLinkedElsewhereError:
            outcomes.append("refused")

    threads = [threading.Thread(target=claim, args=(connection,)) for connection in verifying]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["linked"] + ["refused"] * 7
    with engine.connect() as db:
        statuses = sorted(record.status for record in connections.every(db))
    assert statuses == ["connected"] + ["pending"] * 7


def test_another_tenant_needs_a_disconnect_first_and_settings_stay(engine: sa.Engine) -> None:
    with engine.begin() as db:
        linking.add(db, "acme", TENANT, actor="me", mdm_assignee_updates=True)
        with pytest.raises(TenantMismatchError, match="disconnect it before"):
            linking.bind(db, "acme", proof(OTHER), actor="me")
        connections.change_settings(db, "acme", {"absent_lists": 3}, actor="me")
        connections.disconnect(db, "acme", actor="me")
        again = linking.bind(db, "acme", proof(OTHER), actor="me", hold_lookalike_employees=True)
        assert (again.candidate_tenant_id, again.tenant_id, again.connected_at) == (OTHER, None, None)
        assert (again.absent_lists, again.hold_lookalike_employees, again.mdm_assignee_updates) == (3, True, True)
        linking.claim(db, again)
        connections.disconnect(db, "acme", actor="me")
        assert linking.add(db, "acme", TENANT, actor="me").mdm_assignee_updates, "the operator's way keeps them too"


def test_connecting_again_keeps_the_tenant_while_it_is_verified(engine: sa.Engine) -> None:
    with engine.begin() as db:
        before = linking.add(db, "acme", TENANT, actor="me")
        verifying = linking.bind(db, "acme", proof(), actor="me")
        assert (verifying.tenant_id, verifying.connected_at) == (TENANT, before.connected_at)
        assert linking.end_verifying(db, verifying, "needs_consent", "consent_missing", "Connect again.")
        ended = connections.get(db, "acme")
        assert (ended.status, ended.tenant_id, ended.candidate_tenant_id) == ("needs_consent", TENANT, None)


def test_an_operator_moves_a_tenant_and_both_accounts_are_told(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        acme = linking.add(db, "acme", TENANT, actor="me")
        asked = sync_requests.request(db, acme.id, requested_by="petra", debounce=timedelta(minutes=30))
        assert tenant_moves.move(db, TENANT.upper(), "globex", actor="operator:me", reason="acme was bought") == "acme"
        former = connections.get(db, "acme")
        assert (former.status, former.status_cause, former.tenant_id) == ("disconnected", "moved", None)
        assert "moved your Microsoft tenant" in str(former.status_message)
        assert "globex" not in str(former.status_message)
        request = sync_requests.get(db, asked.request_id)
        assert request is not None
        assert request.status == "failed"
        for account, direction in (("acme", "away"), ("globex", "here")):
            entry = audit.entries(db, account)[0]
            assert (entry.action, entry.subject, entry.reason) == ("move", TENANT, "acme was bought")
            assert (entry.actor, entry.details) == ("operator:me", {"direction": direction})
        with pytest.raises(TenantLinkedElsewhereError):
            linking.bind(db, "acme", proof(), actor="me")
        assert linking.claim(db, linking.bind(db, "globex", proof(), actor="george"))


def test_a_tenant_is_moved_after_a_disconnect_too_and_never_to_where_it_is(
    engine: sa.Engine, two_accounts: None
) -> None:
    with engine.begin() as db:
        with pytest.raises(WrongUseError, match="belongs to no account yet"):
            tenant_moves.move(db, TENANT, "globex", actor="me", reason="r")
        linking.add(db, "acme", TENANT, actor="me")
        connections.disconnect(db, "acme", actor="me")
        with pytest.raises(WrongUseError, match="belongs to acme already"):
            tenant_moves.move(db, TENANT, "acme", actor="me", reason="r")
        with pytest.raises(accounts.UnknownAccountError):
            tenant_moves.move(db, TENANT, "initech", actor="me", reason="r")
        tenant_moves.move(db, TENANT, "globex", actor="me", reason="r")
        assert "moved your Microsoft tenant" in str(connections.get(db, "acme").status_message)
        assert linking.add(db, "globex", TENANT, actor="me").status == "connected"


def test_the_last_sign_in_shows_whether_the_app_is_told_roles(engine: sa.Engine, two_accounts: None) -> None:
    with engine.begin() as db:
        account_id = accounts.get(db, "acme").id
        assert linking.last_sign_in_told_roles(db) is None
        for why, told in (("guest", None), ("no_role", True), ("roles_not_told", False)):
            linking.refused(db, account_id, actor="petra", tenant_id=TENANT, why=why)
            db.execute(sa.text("update audit_log set at = at - interval '1 hour'"))
            last = linking.last_sign_in_told_roles(db)
            assert (last and last[1]) is told
        linking.bind(db, "acme", proof(), actor="petra")
        last = linking.last_sign_in_told_roles(db)
        assert last is not None
        assert last[1]


BEFORE = """
    insert into accounts (slug) select 'account-' || n from generate_series(1, 9) n;
    insert into connections (account_id, tenant_id, status, connected_at, disconnected_at)
    select a.id, v.tenant, v.status, v.connected_at::timestamptz, v.disconnected_at::timestamptz
    from (values
        ('account-1', :live, 'connected', '2026-01-01', null),
        ('account-2', :live, 'disconnected', '2025-01-01', '2025-06-01'),
        ('account-3', :ended, 'disconnected', '2025-01-01', '2025-02-01'),
        ('account-4', :ended, 'disconnected', '2025-03-01', '2025-04-01'),
        ('account-5', :claimed, 'verifying', null, null),
        ('account-6', :again, 'verifying', '2025-01-01', null),
        ('account-7', :refused, 'error', null, null),
        ('account-8', :never, 'disconnected', null, '2025-02-01')
    ) v (slug, tenant, status, connected_at, disconnected_at)
    join accounts a on a.slug = v.slug
"""


def test_a_database_from_before_keeps_what_worked_and_frees_what_was_only_claimed(
    new_database: Callable[..., str],
) -> None:
    from alembic import command

    tenant_ownership = importlib.import_module("intune_pipeline.inventory.migrations.versions.0008_tenant_ownership")

    tenants = {name: f"{number}f2c1e5a-1234-5678-9abc-def012345678" for number, name in enumerate(
        ("live", "ended", "claimed", "again", "refused", "never"))}  # fmt: skip
    engine = database.create_engine(new_database())
    with engine.begin() as db:
        config = database._config()
        config.attributes["connection"] = db
        command.upgrade(config, tenant_ownership.down_revision)
        db.execute(sa.text(BEFORE), tenants)
    database.upgrade(engine)
    with engine.connect() as db:
        found = {record.account: (record.status, record.tenant_id) for record in connections.every(db)}
        owners = dict(db.execute(sa.text("select tenant_id, 'account-' || account_id from tenant_owners")).all())
    engine.dispose()
    assert found == {
        "account-1": ("connected", tenants["live"]),
        "account-2": ("disconnected", None),
        "account-3": ("disconnected", None),
        "account-4": ("disconnected", tenants["ended"]),
        "account-5": ("pending", None),
        "account-6": ("needs_consent", tenants["again"]),
        "account-7": ("error", None),
        "account-8": ("disconnected", None),
    }
    assert owners == {tenants["live"]: "account-1", tenants["ended"]: "account-4", tenants["again"]: "account-6"}
