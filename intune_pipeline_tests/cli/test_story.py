"""An operator's first day: connect, look, sync, sync again, ask why, teach, reveal, disconnect."""

import re

import sqlalchemy as sa
from cryptography.fernet import Fernet

from intune_pipeline.inventory import schema

COUNTS = {
    "status",
    "devices_listed",
    "devices_synced",
    "devices_skipped",
    "devices_failed",
    "assets_created",
    "assets_updated",
    "assets_unchanged",
    "employees_created",
    "assignees_changed",
    "lifecycle_transitions",
    "lifecycle_held",
}
CURATED = ("assets", "employees", "employee_emails", "asset_changes")


def rows_of(engine):
    with engine.connect() as db:
        return {name: sorted(map(repr, db.execute(sa.select(schema.metadata.tables[name])).all())) for name in CURATED}


def test_from_a_consent_to_a_quiet_second_day(stores, cloud, environment, engine, command):
    environment.setenv("BYPASS_CODE_KEYS", Fernet.generate_key().decode())
    tenant_id = cloud.tenants[0].tenant_id
    assert command("db", "upgrade").status == 0
    assert command("connections", "add", "acme", "--tenant-id", tenant_id.upper(), "--name", "Acme").status == 0
    doctor = command("doctor", "acme")
    assert doctor.status == 0, doctor.out
    assert "✗" not in doctor.out

    planned = command("plan", "acme", "--json").json()
    assert planned["status"] == "planned"
    assert rows_of(engine)["assets"] == []
    assert planned["skipped"] == planned["devices_skipped"]
    assert planned["gone"] == 0
    created = [person for person in planned["employees"] if person["action"] == "create"]
    assert len(created) == planned["employees_created"]
    assert all(person["email"] and person["first_name"] and person["last_name"] for person in created)

    first = command("sync", "acme", "--json")
    assert first.status == 0, first.err
    counts = first.json()
    assert set(counts) >= COUNTS
    assert {name: planned[name] for name in COUNTS - {"status"}} == {name: counts[name] for name in COUNTS - {"status"}}
    assert (
        counts["devices_listed"]
        == len(cloud.tenants[0])
        == (counts["devices_synced"] + counts["devices_failed"] + sum(counts["devices_skipped"].values()))
    )
    assert counts["assets_created"] == counts["devices_synced"] == len(rows_of(engine)["assets"])
    assert {change["action"] for change in planned["changes"]} == {"create"}

    before = rows_of(engine)
    second = command("sync", "acme", "--json").json()
    assert (second["assets_created"], second["assets_updated"], second["employees_created"]) == (0, 0, 0)
    assert second["assets_unchanged"] == counts["devices_synced"]
    assert rows_of(engine) == before
    assert command("plan", "acme", "--json").json()["changes"] == []
    assert "acme" in command("fleet").out

    with engine.connect() as db:
        sealed = db.execute(
            sa.select(schema.assets).where(schema.assets.c.activation_lock_bypass_code.is_not(None))
        ).first()
    assert sealed is not None
    story = command("why", "acme", sealed.serial_number.lower())
    assert story.status == 0
    assert sealed.intune_device_id in story.out
    assert re.search(r"Addresses at \S+ are made as: \S+ \(\d+ of \d+ certain names\)", story.out)
    assert command("why", "acme", sealed.serial_number, "--json").json()["conventions"]
    revealed = command("bypass-code", "reveal", "acme", sealed.serial_number, "--reason", "the owner left")
    code = cloud.tenants[0].details(sealed.intune_device_id)["activationLockBypassCode"]
    assert revealed.out.strip() == code
    assert code not in story.out
    with engine.connect() as db:
        audited = db.execute(sa.select(schema.audit_log).where(schema.audit_log.c.action == "reveal")).one()
    assert audited.reason == "the owner left"
    assert code not in repr(audited)

    assert command("connections", "remove", "acme").status == 0
    refused = command("sync", "acme")
    assert refused.status == 2
    assert "disconnected" in refused.err
    assert rows_of(engine) == before


def test_an_account_teaches_a_model_and_sees_what_would_change_first(stores, cloud, engine, command):
    command("db", "upgrade")
    command("connections", "add", "acme", "--tenant-id", cloud.tenants[0].tenant_id)
    synced = command("sync", "acme", "--json").json()
    with engine.connect() as db:
        unknown = db.execute(
            sa.select(schema.device_outcomes.c.model, sa.func.count())
            .where(schema.device_outcomes.c.reason == "unknown_type", schema.device_outcomes.c.model != "")
            .group_by(schema.device_outcomes.c.model)
        ).first()
    assert unknown is not None
    pattern = f"^{re.escape(unknown.model)}$"
    rule = ("rules", "add", "acme", "--model", pattern, "--type", "laptop", "--note", "we know it")
    preview = command(*rule, "--preview")
    assert f"{unknown.count} known devices would change" in preview.out, preview
    assert command(*rule).status == 0
    assert "we know it" in command("rules", "list", "acme").out
    taught = command("sync", "acme", "--json").json()
    assert taught["devices_synced"] == synced["devices_synced"] + unknown.count
    refused = command("rules", "add", "acme", "--model", "(unclosed", "--type", "laptop")
    assert refused.status == 2
    assert refused.err.startswith("Error: ")
