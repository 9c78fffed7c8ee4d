"""``dev``: everything on this machine against real settings.

Belongs here: which processes run and where they are reached. Does not belong here: the sandbox (``demo``).
"""

from dataclasses import dataclass

import click

from intune_pipeline.cli.processes import Children, answers, children, free_port

DAGSTER_PORT = 3000
PORTAL_PORT = 8000


@dataclass(frozen=True)
class Addresses:
    """Where a person finds the running product."""

    dagster: str
    portal: str


@click.command("dev")
def command() -> None:
    """Run embedded PostgreSQL, portal, Dagster UI and daemon against your settings, until Ctrl-C."""
    from intune_pipeline.cli import store
    from intune_pipeline.cli.database import upgrade_dagster
    from intune_pipeline.inventory import database
    from intune_pipeline.settings import MicrosoftSettings, PortalSettings, local_directory

    MicrosoftSettings.load()
    portal_url = PortalSettings.load().portal_url
    with store.opened(migrated=False) as engine, children(local_directory() / "logs") as started:
        database.upgrade(engine)
        upgrade_dagster()
        addresses = start_services(started, free_port(PORTAL_PORT))
        click.echo(f"Dagster UI  {addresses.dagster}\nPortal      {portal_url} (listens on {addresses.portal})")
        click.echo("Ctrl-C stops everything.")
        started.wait()


def start_services(started: Children, portal_port: int) -> Addresses:
    """Start Dagster's UI and daemon and the portal; returns when both answer."""
    from intune_pipeline.settings import project_directory

    dagster_port = free_port(DAGSTER_PORT)
    workspace = str(project_directory() / "workspace.yaml")
    started.start(
        "dagster",
        "dagster",
        ["dev", "-w", workspace, "-h", "127.0.0.1", "-p", str(dagster_port), "--log-level", "warning"],
        ready=lambda: answers(dagster_port),
    )
    started.start(
        "portal", "intune_pipeline.cli", ["portal", "--port", str(portal_port)], ready=lambda: answers(portal_port)
    )
    return Addresses(f"http://127.0.0.1:{dagster_port}", f"http://127.0.0.1:{portal_port}")
