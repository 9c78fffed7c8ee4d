"""The sandbox cloud with fleets of chosen sizes, as a process: ``python -m bench.cloud DIRECTORY NAME=DEVICES…``.

It is a process of its own so that what it costs is not counted as the sync's.
"""

import json
import signal
import sys
import threading
from pathlib import Path

from intune_pipeline.sandbox import fleets
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant


def main(directory: Path, sizes: dict[str, int]) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    tenants = [
        SandboxTenant(name, fleets.generate_fleet(number, size, domain=f"{name}.example"))
        for number, (name, size) in enumerate(sizes.items(), start=1)
    ]
    cloud = SandboxCloud(tenants, directory)
    with cloud.running():
        described = {"environment": cloud.environment(), "tenants": {one.name: one.tenant_id for one in tenants}}
        unfinished = directory / "cloud.json.new"
        unfinished.write_text(json.dumps(described))
        unfinished.rename(directory / "cloud.json")
        stop.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), {name: int(size) for name, size in (one.split("=") for one in sys.argv[2:])})
