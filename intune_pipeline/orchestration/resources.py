"""What assets, sensors and schedules are given: the database, Microsoft, the key vault, the tenant a run is about.

Belongs here: thin wrappers whose ``create_resource`` returns a plain object of another room, built from the settings
when a run or tick begins. Does not belong here: secrets, which stay in the environment and are never configured in
Dagster, and anything that talks while definitions load.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg
import structlog
from sqlalchemy import Engine

from intune_pipeline import garbage
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory.database import create_engine
from intune_pipeline.inventory.roles import Acting, Role
from intune_pipeline.local import database_urls
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration.io import FrameIOManager
from intune_pipeline.orchestration.partitions import PARTITION_TAG
from intune_pipeline.orchestration.tenant_run import TenantRun
from intune_pipeline.settings import MicrosoftSettings, Settings


class DatabaseResource(dg.ConfigurableResource[Engine]):
    """allwhere's database, as ``ALLWHERE_DATABASE_URL`` says.

    Attributes:
        of_tenant: whether a run of one tenant sees that account's rows only; else every account's.
    """

    of_tenant: bool = False

    def create_resource(self, context: dg.InitResourceContext) -> Engine:
        """An engine; PostgreSQL shows the run's id beside its connections."""
        settings = Settings.load()
        name = f"intune-pipeline {context.run.run_id}" if context.run else "intune-pipeline"
        account = context.run.tags.get(PARTITION_TAG) if self.of_tenant and context.run else None
        acting = Acting(Role.PIPELINE, account, settings.intune_database_role_prefix)
        return create_engine(database_urls(settings).allwhere, name, acting=acting)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Engine]:
        """The engine of one run or tick."""
        engine = self.create_resource(context)
        try:
            yield engine
        finally:
            engine.dispose()


class TenantRunResource(dg.ConfigurableResource[TenantRun]):
    """The tenant a run is about."""

    database: dg.ResourceDependency[Engine]

    def create_resource(self, context: dg.InitResourceContext) -> TenantRun:
        """Nothing is read, locked or asked yet."""
        if context.run is None or context.instance is None:
            raise WrongUseError("A tenant's run exists within a Dagster run only.")
        settings = Settings.load()
        return TenantRun(self.database, settings, context.run, context.instance, partial(open_client, settings))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[TenantRun]:
        """The tenant, for one run: its lock is given back at the end."""
        tenant = self.create_resource(context)
        known = {"account": tenant.account, "run_id": tenant.run.run_id}
        with structlog.contextvars.bound_contextvars(**known), garbage.set_aside():
            try:
                yield tenant
            finally:
                tenant.close()


def default_resources() -> dict[str, Any]:
    """The resources by key; ``io_manager`` is the default of every asset."""
    of_tenant = DatabaseResource(of_tenant=True)
    return {
        "database": DatabaseResource(),
        "io_manager": FrameIOManager(database=of_tenant),
        "tenant": TenantRunResource(database=of_tenant),
    }


def open_client(settings: Settings, tenant_id: str) -> GraphClient:
    """A client for one tenant, which gives up when the run's deadline has passed, counted from now.

    Raises:
        SettingsError: the app's settings are missing or malformed.
    """
    app = MicrosoftSettings.load()
    return GraphClient(
        app.cloud,
        app.credential,
        tenant_id,
        deadline=time.monotonic() + 60 * settings.intune_run_deadline_minutes,
        give_up_after=timedelta(seconds=settings.intune_request_give_up_seconds),
        max_devices=settings.intune_max_devices,
    )
