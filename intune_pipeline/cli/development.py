"""``dev``: everything on this machine against real settings.

Belongs here: which processes run and where they are reached. Does not belong here: the sandbox (``demo``).
"""

import json

import click

from intune_pipeline.cli.processes import Children, answers, children, free_port

DAGSTER_PORT = 3000
PORTAL_PORT = 8000


@click.command("dev")
def command() -> None:
    """Run embedded PostgreSQL, portal, Dagster UI and daemon against your settings, until Ctrl-C.

    What has no settings yet is named and left out, so that the rest can be looked at.
    """
    from intune_pipeline.cli import store
    from intune_pipeline.cli.database import upgrade_dagster
    from intune_pipeline.inventory import database
    from intune_pipeline.settings import Settings, local_directory

    missing = _missing_settings()
    for problem in filter(None, (missing, _alerts_problem())):
        click.echo(problem, err=True)
    with store.opened(migrated=False) as engine, children(local_directory() / "logs") as started:
        database.upgrade(engine, Settings.load().intune_database_role_prefix)
        upgrade_dagster()
        click.echo(f"Dagster UI  {start_dagster(started)}")
        if not missing:
            click.echo(f"Portal      {start_portal(started, free_port(PORTAL_PORT))}")
        click.echo("Ctrl-C stops everything.")
        started.wait()


def _missing_settings() -> str | None:
    """What cannot work for want of settings, as a sentence."""
    from intune_pipeline.settings import MicrosoftSettings, PortalSettings, SettingsError

    try:
        MicrosoftSettings.load()
    except SettingsError as missing:
        return f"No tenant can be synced, and the portal is not started: {missing}"
    try:
        PortalSettings.load()
    except SettingsError as missing:
        return f"The portal is not started: {missing}"
    return None


def _alerts_problem() -> str | None:
    """Why nobody would be told of failures although somebody is meant to be, as a sentence."""
    from intune_pipeline.orchestration.sync.alerts import how_many_addresses
    from intune_pipeline.settings import Settings, SettingsError

    try:
        how_many_addresses(Settings.load().intune_alert_urls)
    except SettingsError as malformed:
        return f"Nobody will be told of failures: {malformed}"
    return None


def start_dagster(started: Children) -> str:
    """Start Dagster's code server, daemon and guarded UI; returns the UI's address when it answers.

    Not ``dagster dev``: its UI takes what any page makes a browser send.
    """
    port = free_port(DAGSTER_PORT)
    code = started.private / "code"
    location = {"socket": str(code), "location_name": "intune_pipeline"}
    workspace = started.private / "workspace.yaml"
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": location}]}))
    started.start(
        "dagster-code",
        "dagster",
        ["code-server", "start", "--socket", str(code), "-m", "intune_pipeline.definitions", "--log-level", "warning"],
        ready=code.exists,
    )
    started.start(
        "dagster-daemon",
        "dagster._daemon",
        ["run", "-w", str(workspace), "--log-level", "warning"],
        ready=lambda: True,
    )
    started.start(
        "dagster-ui",
        "intune_pipeline.orchestration.process.webserver",
        ["-w", str(workspace), "-h", "127.0.0.1", "-p", str(port), "--dagster-log-level", "warning"],
        ready=lambda: answers(port),
    )
    return f"http://127.0.0.1:{port}"


def start_portal(started: Children, port: int) -> str:
    """Start the portal on a port; returns its address when it answers."""
    started.start("portal", "intune_pipeline.cli", ["portal", "--port", str(port)], ready=lambda: answers(port))
    return f"http://127.0.0.1:{port}"
