"""What assets, sensors and schedules are given: databases, Microsoft, the key vault, numbers, the session of a run.

Belongs here: thin wrappers that declare their configuration and whose ``create_resource`` returns a plain object of another
package when a run or tick begins. Does not belong here: secrets, which stay in the environment and are never configured in
Dagster, and anything that talks while definitions load.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg
import structlog
from pydantic import Field
from sqlalchemy import Engine

from intune_pipeline import garbage_collector
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory.database import create_engine
from intune_pipeline.inventory.retention import Retention
from intune_pipeline.inventory.roles import Acting, Role
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.local import database_urls
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration.io import FrameIOManager
from intune_pipeline.orchestration.links import links_of
from intune_pipeline.orchestration.partitions import PARTITION_TAG
from intune_pipeline.orchestration.process.priority import lower_for_scheduled_run
from intune_pipeline.orchestration.sync.alerts import Notifier, notifier_of
from intune_pipeline.orchestration.sync.mails import Mailer, mailer_of
from intune_pipeline.orchestration.sync.session import OpenClient, Session
from intune_pipeline.settings import LinkSettings, MailSettings, MicrosoftSettings, Settings


class DatabaseResource(dg.ConfigurableResource[Engine]):
    """allwhere's database, at the address ``ALLWHERE_DATABASE_URL``, which may hold a password; every account's rows."""

    def create_resource(self, context: dg.InitResourceContext) -> Engine:
        """An engine; PostgreSQL shows the run's id beside its connections."""
        return _engine(context, account=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Engine]:
        """The engine of one run or tick."""
        engine = self.create_resource(context)
        try:
            yield engine
        finally:
            engine.dispose()


class TenantDatabaseResource(DatabaseResource):
    """The same for a run of one tenant, which sees that account's rows only."""

    def create_resource(self, context: dg.InitResourceContext) -> Engine:
        """An engine, for every account's rows outside of such a run."""
        return _engine(context, account=context.run.tags.get(PARTITION_TAG) if context.run else None)


def _engine(context: dg.InitResourceContext, *, account: str | None) -> Engine:
    settings = Settings.load()
    name = f"intune-pipeline {context.run.run_id}" if context.run else "intune-pipeline"
    acting = Acting(Role.PIPELINE, account, settings.intune_database_role_prefix)
    return create_engine(database_urls(settings, needs_dagster=False).allwhere, name, acting=acting)


class MicrosoftResource(dg.ConfigurableResource[OpenClient]):
    """Opens clients for tenants, with the app's settings from the environment."""

    run_deadline_minutes: int = Field(30, description="INTUNE_RUN_DEADLINE_MINUTES: a client gives up so long after.")
    request_give_up_seconds: int = Field(120, description="INTUNE_REQUEST_GIVE_UP_SECONDS: for one request.")
    max_devices: int = Field(250_000, description="INTUNE_MAX_DEVICES: a tenant with more is refused.")

    def create_resource(self, context: dg.InitResourceContext) -> OpenClient:  # noqa: ARG002 - the base class calls it so
        """A function of the tenant's GUID."""
        return self.open_client

    def open_client(self, tenant_id: str) -> GraphClient:
        """A client for one tenant, which gives up when the run's deadline has passed, counted from now.

        Raises:
            SettingsError: the app's settings are missing or malformed.
        """
        app = MicrosoftSettings.load()
        return GraphClient(
            app.cloud,
            app.credential,
            tenant_id,
            deadline=time.monotonic() + 60 * self.run_deadline_minutes,
            give_up_after=timedelta(seconds=self.request_give_up_seconds),
            max_devices=self.max_devices,
        )


class VaultResource(dg.ConfigurableResource[Vault]):
    """Seals bypass codes with ``BYPASS_CODE_KEYS``."""

    def create_resource(self, context: dg.InitResourceContext) -> Vault:  # noqa: ARG002 - the base class calls it so
        """A closed vault where there are no keys."""
        return Vault(Settings.load().bypass_code_keys)


class NotifierResource(dg.ConfigurableResource[Notifier]):
    """Tells people at ``INTUNE_ALERT_URLS``, which hold passwords and tokens."""

    def create_resource(self, context: dg.InitResourceContext) -> Notifier:  # noqa: ARG002 - the base class calls it so
        """It tells nobody where there are no addresses."""
        return notifier_of(Settings.load().intune_alert_urls)


class MailerResource(dg.ConfigurableResource[Mailer]):
    """Tells customers' admins by the mail server of ``INTUNE_MAIL_URL``, which holds a password."""

    def create_resource(self, context: dg.InitResourceContext) -> Mailer:  # noqa: ARG002 - the base class calls it so
        """It tells nobody where there is no server."""
        return mailer_of(MailSettings.load())


class Limits(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The numbers that assets, checks and sensors work with."""

    details: bool = Field(True, description="INTUNE_DETAILS: whether memory and bypass codes are asked for.")
    details_refresh_days: int = Field(
        7, description="INTUNE_DETAILS_REFRESH_DAYS: age from which they are asked again."
    )
    input_max_age_hours: int = Field(24, description="INTUNE_INPUT_MAX_AGE_HOURS: how old the list of a frame may be.")
    unknown_share_warning: float = Field(0.10, description="INTUNE_UNKNOWN_SHARE_WARNING: devices of unknown type.")
    junk_share_warning: float = Field(0.05, description="INTUNE_JUNK_SHARE_WARNING: placeholder serial numbers.")
    late_after_hours: int = Field(26, description="INTUNE_LATE_AFTER_HOURS: how old the last good sync may be.")
    sync_hour: int = Field(5, description="INTUNE_SYNC_HOUR: digests follow the daily sync.")
    sync_time_zone: str = Field("UTC", description="INTUNE_SYNC_TIME_ZONE: of that hour.")

    @property
    def details_refresh(self) -> timedelta | None:
        """Age from which details are asked for again; None: details are off."""
        return timedelta(days=self.details_refresh_days) if self.details else None

    @property
    def input_max_age(self) -> timedelta:
        """How old the list of a frame may be."""
        return timedelta(hours=self.input_max_age_hours)

    @property
    def late_after(self) -> timedelta:
        """How old the last good sync of a tenant may be."""
        return timedelta(hours=self.late_after_hours)


class Keep(dg.ConfigurableResource):  # type: ignore[type-arg]
    """How many days is kept what nobody needs any more."""

    holds_days: int = Field(365, description="INTUNE_KEEP_HOLDS_DAYS: decided holds.")
    outcomes_days: int = Field(365, description="INTUNE_KEEP_OUTCOMES_DAYS: outcomes of devices that are gone.")
    audit_days: int | None = Field(None, description="INTUNE_KEEP_AUDIT_DAYS: audit entries; none for ever.")
    codes_days: int = Field(90, description="INTUNE_KEEP_CODES_DAYS: sealed codes of devices that are gone.")

    @property
    def retention(self) -> Retention:
        """The same as spans."""
        return Retention(
            holds=timedelta(days=self.holds_days),
            outcomes=timedelta(days=self.outcomes_days),
            audit=None if self.audit_days is None else timedelta(days=self.audit_days),
            codes=timedelta(days=self.codes_days),
        )


class SessionResource(dg.ConfigurableResource[Session]):
    """The session of a run with its tenant."""

    database: dg.ResourceDependency[Engine]
    microsoft: dg.ResourceDependency[OpenClient]

    def create_resource(self, context: dg.InitResourceContext) -> Session:
        """Nothing is read, locked or asked yet."""
        if context.run is None or context.instance is None:
            raise WrongUseError("A tenant's session exists within a Dagster run only.")
        return Session(self.database, context.run, context.instance, self.microsoft)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Session]:
        """The session of one run: its lock is given back at the end."""
        session = self.create_resource(context)
        if context.run:
            lower_for_scheduled_run(context.run.tags)
        known = {"account": session.account, "run_id": session.run_id}
        with structlog.contextvars.bound_contextvars(**known), garbage_collector.frozen():
            try:
                yield session
            finally:
                session.close()


def microsoft_resource(settings: Settings) -> MicrosoftResource:
    """Opens clients as the settings say."""
    return MicrosoftResource(
        run_deadline_minutes=settings.intune_run_deadline_minutes,
        request_give_up_seconds=settings.intune_request_give_up_seconds,
        max_devices=settings.intune_max_devices,
    )


def limits_of(settings: Settings) -> Limits:
    """The numbers of the settings."""
    return Limits(
        details=settings.details_on,
        details_refresh_days=settings.intune_details_refresh_days,
        input_max_age_hours=settings.intune_input_max_age_hours,
        unknown_share_warning=settings.intune_unknown_share_warning,
        junk_share_warning=settings.intune_junk_share_warning,
        late_after_hours=settings.intune_late_after_hours,
        sync_hour=settings.intune_sync_hour,
        sync_time_zone=settings.intune_sync_time_zone,
    )


def keep_of(settings: Settings) -> Keep:
    """The retention of the settings."""
    return Keep(
        holds_days=settings.intune_keep_holds_days,
        outcomes_days=settings.intune_keep_outcomes_days,
        audit_days=settings.intune_keep_audit_days,
        codes_days=settings.intune_keep_codes_days,
    )


def default_resources(settings: Settings) -> dict[str, Any]:
    """The resources by key; ``io_manager`` is the default of every asset."""
    # “At launch”, so that a run has one engine: what a configured resource is given, Dagster makes anew for each.
    of_tenant: Any = TenantDatabaseResource.configure_at_launch()
    microsoft = microsoft_resource(settings)
    return {
        "database": DatabaseResource(),
        "io_manager": FrameIOManager(database=of_tenant),
        "keep": keep_of(settings),
        "limits": limits_of(settings),
        "links": links_of(LinkSettings.load()),
        "mailer": MailerResource(),
        "microsoft": microsoft,
        "notifier": NotifierResource(),
        "session": SessionResource(database=of_tenant, microsoft=microsoft),
        "tenant_database": of_tenant,
        "vault": VaultResource(),
    }
