"""``probe``: whether what starts the syncs is alive, seen from outside the daemon, for machines to ask.

Belongs here: looking, printing, the exit status, and the ping of the dead man's switch. Does not belong here: what is looked at
(``orchestration.process.pulse``).
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from intune_pipeline.errors import PipelineError, WrongUseError

if TYPE_CHECKING:
    from pydantic import SecretStr
    from sqlalchemy import Engine

    from intune_pipeline.orchestration.process.pulse import Finding
    from intune_pipeline.settings import Settings

PING_SECONDS = 10


@click.command("probe")
@click.option(
    "--every",
    type=click.IntRange(min=5),
    metavar="SECONDS",
    help="Go on looking, and print what has changed, until stopped.",
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), metavar="PORT", help="With --every: serve /metrics.")
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="Where to serve it.")
def command(every: int | None, metrics_port: int | None, metrics_host: str) -> int:
    """Look at daemon, schedules, sensors, ticks, queue and the last night; end with 1 when the daemon does not do its work.

    While it does and the last night is whole, INTUNE_HEARTBEAT_URL is asked for, if it is set: a dead man's switch.
    """
    from intune_pipeline.settings import Settings

    settings = Settings.load()
    if every is None:
        lines, status = _look_once(settings)
        click.echo("\n".join(lines))
        return status
    if metrics_port is not None:
        _serve_metrics(settings, metrics_host, metrics_port)
    before: set[str] = set()
    while True:
        lines, _ = _look_once(settings)
        # Numbers change at every look; news is what has another mark.
        marked = {line.partition(":")[0]: line for line in lines}
        for name in marked.keys() - before:
            click.echo(marked[name])
        before = set(marked)
        time.sleep(every)


def look(engine: "Engine", settings: "Settings") -> "Iterator[Finding]":
    """Everything about what starts the syncs, a line each; what cannot be looked at is a line too."""
    from datetime import UTC, datetime, timedelta

    from dagster import DagsterInstance

    from intune_pipeline.orchestration.process.pulse import Finding, Sign, findings, last_due

    now = datetime.now(UTC)
    due = last_due(settings.intune_sync_hour, settings.intune_sync_time_zone, now)
    late_after = timedelta(hours=settings.intune_late_after_hours)
    try:
        with DagsterInstance.get() as instance:
            yield from findings(instance, engine, due=due, late_after=late_after, now=now)
    except Exception as error:  # noqa: BLE001 - whoever asks gets an answer
        says = str(error) if isinstance(error, PipelineError) else f"stopped at an unexpected {type(error).__name__}"
        yield Finding("Dagster", Sign.BAD, says)


def _serve_metrics(settings: "Settings", host: str, port: int) -> None:
    from datetime import timedelta

    from intune_pipeline.cli import store
    from intune_pipeline.inventory.fleet import FleetLine, fleet
    from intune_pipeline.orchestration.process.fleet_metrics import serve
    from intune_pipeline.settings import SettingsError

    if settings.intune_metrics_token is None:
        raise SettingsError("INTUNE_METRICS_TOKEN is not set; /metrics is served to who sends it only.")
    late_after = timedelta(hours=settings.intune_late_after_hours)

    def seen() -> "tuple[list[FleetLine], list[Finding]]":
        with store.opened() as engine:
            with engine.connect() as db:
                lines = fleet(db, late_after=late_after)
            return lines, list(look(engine, settings))

    try:
        serve(host, port, seen, settings.intune_metrics_token)
    except OSError as error:
        raise WrongUseError(f"/metrics cannot be served on port {port} ({error.strerror}).") from None


def _look_once(settings: "Settings") -> tuple[list[str], int]:
    from intune_pipeline.cli import store
    from intune_pipeline.orchestration.process.pulse import DAEMON, Sign

    try:
        with store.opened() as engine:
            found = list(look(engine, settings))
    except PipelineError as error:
        return [f"✗ database: {error}"], 1
    is_whole = all(one.sign is Sign.GOOD for one in found)
    # What was not due yet in a new installation is no fault, but there must be a daemon.
    works = all(one.sign is Sign.GOOD or (one.sign is Sign.NOT_YET and one.name != DAEMON) for one in found)
    marks = {Sign.GOOD: "✓", Sign.NOT_YET: "–", Sign.BAD: "✗"}
    lines = [f"{marks[one.sign]} {one.name}: {one.says}" for one in found]
    if is_whole and settings.intune_heartbeat_url:
        lines.append(_ping(settings.intune_heartbeat_url))
    return lines, 0 if works else 1


def _ping(address: "SecretStr") -> str:
    import requests

    try:
        answer = requests.get(address.get_secret_value(), timeout=PING_SECONDS)
    except requests.RequestException as error:
        # Its text may hold the address, and who knows that can keep the switch from going off.
        return f"✗ heartbeat: not sent, {type(error).__name__}"
    return "✓ heartbeat: sent" if answer.ok else f"✗ heartbeat: refused with {answer.status_code}"
