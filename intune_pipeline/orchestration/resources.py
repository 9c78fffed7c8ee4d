"""What assets, sensors and schedules are given: the database, Microsoft, the key vault, the tenant a run is about.

Belongs here: thin wrappers whose ``create_resource`` returns a plain object of another room, built from the settings
when a run or tick begins. Does not belong here: secrets, which stay in the environment and are never configured in
Dagster, and anything that talks while definitions load.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg
from sqlalchemy import Engine

from intune_pipeline.inventory.database import create_engine
from intune_pipeline.local import database_urls
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration.io import FrameIOManager
from intune_pipeline.orchestration.tenant_run import TenantRun
from intune_pipeline.settings import MicrosoftSettings, Settings


class DatabaseResource(dg.ConfigurableResource[Engine]):
    """allwhere's database, as ``ALLWHERE_DATABASE_URL`` says."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Engine]:
        """An engine for one run or tick."""
        engine = create_engine(database_urls(Settings.load()).allwhere, application_name=_name(context))
        try:
            yield engine
        finally:
            engine.dispose()


@dataclass(frozen=True)
class Microsoft:
    """Opens clients for tenants; reads the app's credential no earlier than a tenant is asked about."""

    settings: Settings

    def client(self, tenant_id: str) -> GraphClient:
        """A client that gives up when the run's deadline has passed, counted from now.

        Raises:
            SettingsError: the app's settings are missing or malformed.
        """
        app = MicrosoftSettings.load()
        secret = app.microsoft_client_secret
        return GraphClient(
            MicrosoftCloud(app.microsoft_login_url, app.microsoft_graph_url, app.microsoft_ca_bundle),
            Credential(
                app.microsoft_client_id,
                secret.get_secret_value() if secret else None,
                app.microsoft_client_certificate,
                app.microsoft_federated_token_file,
            ),
            tenant_id,
            deadline=time.monotonic() + 60 * self.settings.intune_run_deadline_minutes,
            give_up_after=timedelta(seconds=self.settings.intune_request_give_up_seconds),
        )


class MicrosoftResource(dg.ConfigurableResource[Microsoft]):
    """Entra and Graph, as the settings ``MICROSOFT_*`` say."""

    def create_resource(self, context: dg.InitResourceContext) -> Microsoft:
        """Nothing is sent yet."""
        return Microsoft(Settings.load())
