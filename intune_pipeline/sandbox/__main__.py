"""The sandbox as a process of its own: ``python -m intune_pipeline.sandbox --directory DIRECTORY``.

It writes ``environment.json``, the settings that point the product at it, and ``tenants.json`` into the directory once
it answers, and stays until it is told to stop. Another process changes it under ``{login}/_sandbox``.
"""

import signal
import threading
from pathlib import Path
from typing import Any

import click
import orjson
from pydantic import ValidationError

from intune_pipeline.sandbox import demonstration
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.control import TenantChanges
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.sandbox.trust import write_secret

ENVIRONMENT_FILE = "environment.json"
TENANTS_FILE = "tenants.json"


@click.command(help="Serve a fake Microsoft cloud on loopback until SIGTERM or Ctrl-C.")
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), required=True, help="Keys and state.")
@click.option(
    "--devices", type=click.IntRange(min=0), help="Invented devices over three tenants; 2000, or 0 with --replay."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses the invented fleets.")
@click.option(
    "--replay", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="JSON lines of managedDevice."
)
@click.option(
    "--port",
    type=click.IntRange(1024, 65532),
    help="Port of login; Graph, sign-in and mail follow. Free ones if unset.",
)
@click.option("--unconsented", is_flag=True, help="Nobody has consented to the app yet.")
@click.option("--fault", "faults", multiple=True, metavar="NAME=VALUE", help="A fault, such as throttle_every=5.")
@click.option(
    "--tenant", "switches", multiple=True, metavar="TENANT.NAME=VALUE", help="Such as acme.role_granted=false."
)
def main(
    directory: Path,
    devices: int | None,
    seed: int,
    replay: Path | None,
    port: int | None,
    *,
    unconsented: bool,
    faults: tuple[str, ...],
    switches: tuple[str, ...],
) -> None:
    """Start, say where, and wait."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        tenants = _tenants(devices, seed, replay, consented=not unconsented)
        chosen = Faults.model_validate(dict(_setting(one) for one in faults))
        _switch(tenants, switches)
        ports = (0, 0, 0) if port is None else (port, port + 1, port + 2)
        cloud = SandboxCloud(tenants, directory, ports, mail_port=0 if port is None else port + 3)
    except ValidationError as error:
        first = error.errors()[0]
        raise click.UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    cloud.faults.take_over(chosen)
    with cloud.running():
        _describe(cloud, directory)
        click.echo(f"Sandbox at {cloud.login_url}, {cloud.graph_url} and {cloud.sign_in_url}; settings in {directory}.")
        stop.wait()


def _tenants(devices: int | None, seed: int, replay: Path | None, *, consented: bool) -> list[SandboxTenant]:
    if devices is None:
        devices = 0 if replay else 2000
    tenants = demonstration.tenants(devices, seed=seed, consented=consented) if devices else []
    return tenants if replay is None else [*tenants, demonstration.replayed(replay, consented=consented)]


def _switch(tenants: list[SandboxTenant], switches: tuple[str, ...]) -> None:
    by_name = {tenant.name: tenant for tenant in tenants}
    for switch in switches:
        path, value = _setting(switch)
        name, _, attribute = path.partition(".")
        if name not in by_name:
            raise click.UsageError(f"There is no tenant {name!r}; there are {', '.join(by_name)}.")
        TenantChanges.model_validate({attribute: value}).apply(by_name[name])


def _setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE as a pair, the value read as JSON where it is JSON."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is not of the form NAME=VALUE.")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def _describe(cloud: SandboxCloud, directory: Path) -> None:
    tenants = [{"name": one.name, "tenant_id": one.tenant_id, "devices": len(one)} for one in cloud.tenants]
    for name, content in (
        (TENANTS_FILE, tenants),
        (ENVIRONMENT_FILE, {**cloud.environment(), "INTUNE_MAIL_URL": cloud.mailbox.url}),
    ):
        write_secret(directory / name, orjson.dumps(content, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
