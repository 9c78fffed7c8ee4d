"""What is kept of webhooks and how long, and that nothing of a person is kept in them."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from pydantic import SecretStr

from intune_pipeline.domain.vocabulary import WebhookEvent
from intune_pipeline.inventory import erasures, schema, webhook_deliveries, webhooks
from intune_pipeline.inventory.retention import Retention, forget_old
from intune_pipeline.inventory.vault import Vault
from intune_pipeline_tests.syncing import Tenant

VAULT = Vault([SecretStr(Fernet.generate_key().decode())])


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme")


@pytest.fixture
def webhook(tenant: Tenant) -> webhooks.Webhook:
    with tenant.engine.begin() as db:
        made, _ = webhooks.create(
            db,
            tenant.account_id,
            VAULT,
            "https://hooks.example.com/",
            [WebhookEvent.ASSET_CHANGED],
            description="",
            actor="test",
            now=datetime.now(UTC),
        )
    return made


def test_the_log_is_kept_for_a_month_and_what_waits_as_long_as_its_events(
    tenant: Tenant, webhook: webhooks.Webhook
) -> None:
    for status, days in (("accepted", 29), ("accepted", 31), ("refused", 31), ("waiting", 31), ("waiting", 91)):
        tenant.run(
            "insert into webhook_deliveries (account_id, webhook_id, event, status, created_at) "
            "values (:account, :webhook, 'asset.changed', :status, now() - make_interval(days => :days))",
            webhook=webhook.id,
            status=status,
            days=days,
        )
    with tenant.engine.begin() as db:
        assert webhook_deliveries.delete_old(db) == 3
    left = tenant.rows("select status from webhook_deliveries order by id")
    assert [row["status"] for row in left] == ["accepted", "waiting"]


def test_a_disconnected_account_keeps_the_key_of_its_webhooks(tenant: Tenant, webhook: webhooks.Webhook) -> None:
    tenant.run(
        "update connections set status = 'disconnected', disconnected_at = now() - interval '91 days' where id = :connection"
    )
    with tenant.engine.begin() as db:
        forget_old(db, Retention())
        secrets = webhooks.signing_secrets(db, tenant.account_id, webhook.id, VAULT, datetime.now(UTC))
    assert len(secrets) == 1


def test_a_secret_opens_for_its_own_webhook_only(tenant: Tenant, webhook: webhooks.Webhook) -> None:
    other = Tenant.connected(tenant.engine, "globex")
    tenant.run("update webhooks set account_id = :other", other=other.account_id)
    with tenant.engine.begin() as db, pytest.raises(webhooks.NoKeyError, match="Rotate the secret"):
        webhooks.signing_secrets(db, other.account_id, webhook.id, VAULT, datetime.now(UTC))


def test_without_a_key_there_are_no_webhooks(tenant: Tenant) -> None:
    with tenant.engine.begin() as db, pytest.raises(webhooks.NoKeyError, match="no key"):
        webhooks.create(
            db,
            tenant.account_id,
            Vault([]),
            "https://hooks.example.com/",
            [WebhookEvent.SYNC_FAILED],
            description="",
            actor="test",
            now=datetime.now(UTC),
        )


def test_an_erased_person_is_in_no_event_and_in_no_message(tenant: Tenant, webhook: webhooks.Webhook) -> None:
    employee = tenant.add_employee("Ada", "Lovelace", "ada@acme.example")
    tenant.run("update employees set first_name = 'Augusta' where id = :id", id=employee)
    tenant.run("update employee_emails set email = 'augusta@acme.example'")
    with tenant.engine.begin() as db:
        erasures.erase(db, "acme", "augusta@acme.example", reason="she asked for it", actor="test")
    kept = "".join(
        str(row)
        for table in (schema.change_events, schema.webhooks, schema.webhook_deliveries)
        for row in tenant.rows(f"select * from {table.name}")  # noqa: S608 - tables of our own
    )
    assert "employee" in kept
    assert not any(word in kept.lower() for word in ("ada@", "augusta", "lovelace"))
    assert webhook.id
