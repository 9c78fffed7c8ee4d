"""A customer with something of everything the portal shows, each thing marked so that it is recognised anywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_DNS, UUID, uuid5

import sqlalchemy as sa
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import WebhookEvent
from intune_pipeline.inventory import account_rules, accounts, audit, schema, webhooks
from intune_pipeline.inventory.vault import Vault

BYPASS_KEY = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="


@dataclass(frozen=True)
class Customer:
    """What was written, for tests to look for.

    Attributes:
        slug: the account's.
        mark: a word that is part of everything of this customer.
        connection_id: the connection's id.
        serial_number: of a synced device with a bypass code.
        bypass_code: that code.
        employee_holds: ids of waiting look-alikes.
        rule_id: id of an own rule.
        run_id: id of the good run.
        webhook_id: id of a paused webhook.
        delivery_id: id of a message in its log.
    """

    slug: str
    mark: str
    connection_id: int
    serial_number: str
    bypass_code: str
    employee_holds: tuple[int, ...]
    rule_id: int
    run_id: int
    webhook_id: UUID
    delivery_id: int


def furnish(engine: sa.Engine, slug: str, mark: str) -> Customer:
    """Write a connected customer: a failed and a good run, devices, holds, unknown models, a rule, an audit entry."""
    with engine.begin() as db:
        account_id = accounts.create(db, slug, mark).id
        connection_id = _connection(db, account_id, mark)
        run_id = _runs(db, connection_id)
        employee_id = _employee(db, account_id, mark)
        code = f"{mark}-BYPASS"
        serial_number = f"{mark}-SN1"
        asset_id = _insert(
            db,
            schema.assets,
            account_id=account_id,
            serial_number=serial_number,
            asset_type="laptop",
            status="allocated",
            assignee_id=employee_id,
            model=f"{mark} MacBook Pro",
            activation_lock_bypass_code=Fernet(BYPASS_KEY).encrypt(code.encode()).decode(),
            sync_run_id=run_id,
        )
        _insert(
            db,
            schema.asset_changes,
            asset_id=asset_id,
            sync_run_id=run_id,
            field="os_version",
            old_value=f"{mark} 14.0",
            new_value=f"{mark} 14.1",
        )
        _devices(db, connection_id, run_id, asset_id, mark)
        holds = tuple(_hold(db, connection_id, employee_id, f"{name}@{mark}.example") for name in ("ada", "bob"))
        _insert(
            db,
            schema.lifecycle_holds,
            connection_id=connection_id,
            sync_run_id=run_id,
            intune_device_ids=[f"{mark}-1"],
            reason=f"{mark}: too many at once.",
        )
        db.execute(
            sa.insert(schema.unknown_models).values(
                sync_run_id=run_id,
                connection_id=connection_id,
                operating_system="Windows",
                manufacturer=f"{mark} Inc.",
                model=f"{mark} Model X",
                devices=3,
                example_serial_number=f"{mark}-SN9",
            )
        )
        rule = account_rules.add(db, slug, "", f"^{mark} Special$", "laptop", note=mark, created_by=mark)
        audit.record(db, account_id, actor=f"{mark} person", action="settings", subject=slug)
        webhook_id, delivery_id = _webhook(db, account_id, mark)
    return Customer(slug, mark, connection_id, serial_number, code, holds, rule, run_id, webhook_id, delivery_id)


def _webhook(db: Connection, account_id: int, mark: str) -> tuple[UUID, int]:
    """Paused, so that nothing is sent; one message was accepted."""
    now = datetime.now(UTC)
    webhook, _ = webhooks.create(
        db,
        account_id,
        Vault([SecretStr(BYPASS_KEY)]),
        f"https://{mark.lower()}.example/hook",
        [WebhookEvent.ASSET_CHANGED],
        description=mark,
        actor=f"{mark} person",
        now=now,
    )
    webhooks.pause(db, account_id, webhook.id, actor=f"{mark} person", now=now)
    delivery_id = _insert(
        db,
        schema.webhook_deliveries,
        account_id=account_id,
        webhook_id=webhook.id,
        event=WebhookEvent.ASSET_CHANGED,
        status="refused",
        tries=[{"at": now.isoformat(), "status": 500, "seconds": 0.1, "problem": f"{mark} is down."}],
    )
    return webhook.id, delivery_id


def _connection(db: Connection, account_id: int, mark: str) -> int:
    return _insert(
        db,
        schema.connections,
        account_id=account_id,
        tenant_id=str(uuid5(NAMESPACE_DNS, mark)),
        status="connected",
        connected_at=datetime.now(UTC) - timedelta(days=3),
    )


def _runs(db: Connection, connection_id: int) -> int:
    now = datetime.now(UTC)
    _insert(
        db,
        schema.sync_runs,
        connection_id=connection_id,
        trigger="initial",
        status="failed",
        started_at=now - timedelta(days=2),
        finished_at=now - timedelta(days=2),
        cause="outage",
        error="Microsoft could not be reached.",
    )
    return _insert(
        db,
        schema.sync_runs,
        connection_id=connection_id,
        trigger="schedule",
        status="succeeded",
        phase="done",
        started_at=now - timedelta(hours=2),
        finished_at=now - timedelta(hours=2),
        devices_listed=1250,
        devices_synced=1000,
        devices_skipped=247,
        devices_failed=3,
        skipped_by_reason={"personal": 200, "desktop": 40, "unknown_type": 7},
        assets_created=990,
        assets_updated=10,
    )


def _employee(db: Connection, account_id: int, mark: str) -> int:
    employee_id = _insert(db, schema.employees, account_id=account_id, first_name="Ada", last_name=mark)
    db.execute(
        sa.insert(schema.employee_emails).values(
            employee_id=employee_id, account_id=account_id, email=f"ada@home-{mark}.example", kind="personal"
        )
    )
    return employee_id


def _devices(db: Connection, connection_id: int, run_id: int, asset_id: int, mark: str) -> None:
    now = datetime.now(UTC)
    outcomes = [
        ("synced", None, "laptop", f"{mark}-SN1"),
        ("synced", None, "mobile", f"{mark}-SN2"),
        ("skipped", "desktop", "desktop", f"{mark}-SN3"),
        ("skipped", "no_serial", "laptop", None),
        ("failed", f"{mark}: the database refused a value.", "laptop", f"{mark}-SN5"),
    ]
    for number, (outcome, reason, device_type, serial) in enumerate(outcomes, start=1):
        db.execute(
            sa.insert(schema.device_outcomes).values(
                connection_id=connection_id,
                intune_device_id=f"{mark}-{number}",
                serial_number=serial,
                outcome=outcome,
                reason=reason,
                device_type=device_type,
                rule="apple.laptop",
                rule_reason="A MacBook is a laptop.",
                manufacturer="Apple",
                model=f"{mark} MacBook Pro",
                operating_system="macOS",
                device_name=f"{mark}-PC-{number}",
                asset_id=asset_id if number == 1 else None,
                sync_run_id=run_id,
                first_synced_at=now if outcome == "synced" else None,
                last_synced_at=now if outcome == "synced" else None,
            )
        )


def _hold(db: Connection, connection_id: int, employee_id: int, email: str) -> int:
    return _insert(
        db,
        schema.employee_holds,
        connection_id=connection_id,
        email=email,
        first_name="Ada",
        last_name=email.partition("@")[2],
        lookalike_id=employee_id,
    )


def _insert(db: Connection, table: sa.Table, **values: object) -> int:
    return int(db.execute(sa.insert(table).values(**values).returning(table.c.id)).scalar_one())
