"""Dagster's own database, at the address the settings name.

Belongs here: the storage that ``dagster.yaml`` names. It is PostgreSQL's of ``dagster-postgres``; what it adds is that every
Dagster process, however it was started, reads the address as the rest of the product does: any PostgreSQL scheme, the
driver named, the embedded server when nothing is set. Does not belong here: what is stored.
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from intune_pipeline.local import database_urls
from intune_pipeline.settings import Settings


class SettingsStorage(DagsterPostgresStorage):
    """``DAGSTER_POSTGRES_URL``, or the database ``dagster`` beside allwhere's."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Nothing is configured in ``dagster.yaml``."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:  # noqa: ARG003
        """Read the settings.

        Raises:
            SettingsError: a setting is malformed.
            DatabaseUnreachable: the server does not answer.
        """
        return cls(postgres_url=database_urls(Settings.load()).dagster, inst_data=inst_data)
