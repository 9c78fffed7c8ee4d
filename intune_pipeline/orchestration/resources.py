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
from intune_pipeline.local import database_urls
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration.io import FrameIOManager
from intune_pipeline.orchestration.tenant_run import TenantRun
from intune_pipeline.settings import MicrosoftSettings, Settings


class DatabaseResource(dg.ConfigurableResource[Engine]):
    """allwhere's database, as ``ALLWHERE_DATABASE_URL`` says."""

    def create_resource(self, context: dg.InitResourceContext) -> Engine:
        """An engine; PostgreSQL shows the run's id beside its connections."""
        name = f"intune-pipeline {context.run.run_id}" if context.run else "intune-pipeline"
        return create_engine(database_urls(Settings.load()).allwhere, application_name=name)

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
    database = DatabaseResource()
    return {
        "database": database,
        "io_manager": FrameIOManager(database=database),
        "tenant": TenantRunResource(database=database),
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
