"""How frames get from one asset to the next: kept in memory within a run, stored for everybody else.

Belongs here: the only IO manager. Does not belong here: SQL, and what a frame may hold (``inventory.frames``, which
refuses secrets and every column its table does not describe).
"""

import dagster as dg
from sqlalchemy import Engine

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import frames
from intune_pipeline.inventory.frames import Snapshot
from intune_pipeline.orchestration.failures import failing_in_one_sentence


class FrameStore(dg.IOManager):
    """Frames of one run: written to schema ``pipeline``, and read from there only when another run wrote them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._written: dict[tuple[str, str], Snapshot] = {}

    def handle_output(self, context: dg.OutputContext, obj: Snapshot) -> None:
        """Store a tenant's frame in place of the one before, in one transaction."""
        asset, account = _key(context)
        with failing_in_one_sentence(f"storing {asset}"), self._engine.begin() as db:
            frames.write(db, asset, obj)
        self._written[asset, account] = obj

    def load_input(self, context: dg.InputContext) -> Snapshot:
        """The tenant's frame of an upstream asset."""
        asset, account = _key(context)
        if written := self._written.get((asset, account)):
            return written
        with failing_in_one_sentence(f"reading {asset}"), self._engine.connect() as db:
            return frames.read(db, asset, account)


class FrameIOManager(dg.ConfigurableIOManagerFactory[FrameStore]):
    """The project's default IO manager."""

    database: dg.ResourceDependency[Engine]

    def create_io_manager(self, context: dg.InitResourceContext) -> FrameStore:  # noqa: ARG002 - the base class calls it so
        """A store for one run, whose steps share a process."""
        return FrameStore(self.database)


def _key(context: dg.OutputContext | dg.InputContext) -> tuple[str, str]:
    keys = list(context.asset_partition_keys)
    if len(keys) != 1:
        with failing_in_one_sentence("choosing the tenant"):
            raise WrongUseError("A run is about one tenant; choose a single partition, or a backfill of single runs.")
    return context.asset_key.path[-1], keys[0]
