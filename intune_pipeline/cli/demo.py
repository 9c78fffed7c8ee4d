"""``demo``: the whole product on this machine, against the sandbox.

Belongs here: the demo's story in order. Does not belong here: its invented inventory (``demo_inventory``), the sandbox.
"""

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intune_pipeline.cli.processes import Children, children, free_port
from intune_pipeline.domain.vocabulary import RunStatus, Trigger

if TYPE_CHECKING:
    from sqlalchemy import Engine

DEVICES = 2000
OURS = ("ALLWHERE_", "DAGSTER_", "MICROSOFT_", "INTUNE_", "BYPASS_", "AUTH0_", "PORTAL_")


@click.command("demo")
@click.option("--once", is_flag=True, help="Stop after the reports.")
@click.option(
    "--devices", default=DEVICES, show_default=True, type=click.IntRange(100), help="Devices over all accounts."
)
def command(*, once: bool, devices: int) -> int:
    """Show the product: sandbox cloud, three accounts, their first syncs, the reports, then the UIs until Ctrl-C."""
    from intune_pipeline import extras

    extras.require_demo("The demo's fake Microsoft cloud", *extras.SANDBOX)
    extras.require_demo("The demo's PostgreSQL", *extras.EMBEDDED_SERVER)
    from intune_pipeline.cli import store
    from intune_pipeline.cli.database import upgrade_dagster
    from intune_pipeline.cli.development import PORTAL_PORT, start_dagster, start_portal
    from intune_pipeline.inventory import database
    from intune_pipeline.settings import Settings, local_directory

    directory = local_directory() / "demo"
    with children(local_directory() / "logs") as started:
        portal_port = free_port(PORTAL_PORT)
        _say("Sandbox Microsoft cloud")
        tenants = _start_sandbox(started, directory, devices, portal_port)
        _say("PostgreSQL and migrations")
        with store.opened(migrated=False) as engine:
            database.upgrade(engine, Settings.load().intune_database_role_prefix)
            upgrade_dagster()
            _say("Three accounts with their employees and assets, connected")
            _seed_and_connect(engine, tenants)
            failed = _sync_all(engine, [str(tenant["name"]) for tenant in tenants])
            if once or failed:
                return 1 if failed else 0
            click.echo(f"\nDagster UI  {start_dagster(started)}\nPortal      {start_portal(started, portal_port)}")
            click.echo(f"In another shell: set -a; . {directory / 'environment'}; set +a\nCtrl-C stops everything.")
            started.wait()
    return 0


def _start_sandbox(started: Children, directory: Path, devices: int, portal_port: int) -> list[dict[str, Any]]:
    """Start the sandbox, point this process and its children at it, and return its tenants."""
    described = directory / "environment.json"
    described.unlink(missing_ok=True)
    started.start(
        "sandbox",
        "intune_pipeline.sandbox",
        ["--directory", str(directory), "--devices", str(devices)],
        ready=described.exists,
    )
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    environment = {
        **(sandbox := json.loads(described.read_text())),
        "AUTH0_CA_BUNDLE": sandbox["MICROSOFT_CA_BUNDLE"],
        "BYPASS_CODE_KEYS": _kept(directory / "bypass-code-key", _new_fernet_key),
        "PORTAL_SESSION_SECRET": _kept(directory / "portal-session-secret", _new_fernet_key),
        "PORTAL_URL": f"http://127.0.0.1:{portal_port}",
    }
    os.environ.update(environment)
    _write_private(
        directory / "environment",
        "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items()),
    )
    tenants: list[dict[str, Any]] = json.loads((directory / "tenants.json").read_text())
    return tenants


def _seed_and_connect(engine: "Engine", tenants: list[dict[str, Any]]) -> None:
    from intune_pipeline.cli.demo_inventory import ACCOUNT_NAMES, seed
    from intune_pipeline.inventory import accounts, linking
    from intune_pipeline.sandbox import demonstration

    fleets = {tenant.name: tenant for tenant in demonstration.tenants(sum(tenant["devices"] for tenant in tenants))}
    for tenant in tenants:
        account = tenant["name"]
        with engine.begin() as db:
            if accounts.find(db, account) is None:
                seed(db, accounts.create(db, account, ACCOUNT_NAMES[account]), fleets[account])
            linking.add(db, account, tenant["tenant_id"], actor="operator:demo")


def _sync_all(engine: "Engine", account_slugs: list[str]) -> bool:
    """Run the syncs one after another, print their reports and return whether one failed."""
    from intune_pipeline.cli import output
    from intune_pipeline.cli.sync import synced

    _say("First syncs, through Dagster")
    reports = {account: synced(engine, account, trigger=Trigger.INITIAL) for account in account_slugs}
    for account, counts in reports.items():
        if counts["status"] == RunStatus.SUCCEEDED:
            output.print_counts(account, counts)
        else:
            click.echo(f"Error: {account}: {counts['error']}", err=True)
    return any(counts["status"] != RunStatus.SUCCEEDED for counts in reports.values())


def _kept(path: Path, make: "Any") -> str:
    """The secret in the file, made at the first demo: codes sealed yesterday open today."""
    if not path.exists():
        _write_private(path, make())
    return path.read_text()


def _new_fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _write_private(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content)


def _say(step: str) -> None:
    click.secho(f"• {step}", fg="cyan", err=True)
