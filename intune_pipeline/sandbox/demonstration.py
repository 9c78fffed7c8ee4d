"""The tenants of the demonstration: three companies, one of them large, or a fleet recorded elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import orjson

from intune_pipeline.sandbox import fleets
from intune_pipeline.sandbox.managed_devices import Record
from intune_pipeline.sandbox.tenants import SandboxTenant

SHARES: dict[str, float] = {"acme": 0.80, "globex": 0.15, "initech": 0.05}
"""The companies, by the slug of their account, and their shares of all devices."""

REPLAY = "replay"
"""Slug of the tenant whose fleet was recorded elsewhere."""


def tenants(devices: int, *, seed: int = 1, consented: bool = True) -> list[SandboxTenant]:
    """The three companies with ``devices`` devices together."""
    sizes = {name: round(devices * share) for name, share in SHARES.items()}
    sizes["acme"] += devices - sum(sizes.values())
    return [
        SandboxTenant(name, fleets.generate_fleet(seed + number, size, domain=f"{name}.example"), consented=consented)
        for number, (name, size) in enumerate(sizes.items())
    ]


def replayed(path: Path, *, consented: bool = True) -> SandboxTenant:
    """A tenant with the managedDevice objects of a JSON-lines file, as odd as they are.

    Names starting with an underscore are the recorder's own and left out. Records may lack properties, have no id or
    share one: each stays an entry of the list.

    Raises:
        ValueError: A line is not a JSON object.
    """
    return SandboxTenant(REPLAY, _records(path), consented=consented)


def _records(path: Path) -> Iterator[Record]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}, is not JSON: {error}.") from error
        if not isinstance(record, dict):
            raise ValueError(f"{path}, line {number}, is not a JSON object.")  # noqa: TRY004
        yield {name: value for name, value in record.items() if not name.startswith("_")}
