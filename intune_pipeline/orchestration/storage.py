"""The address of Dagster's storage in copies of ``dagster.yaml`` that are in use; it lives in ``process.storage``."""

from intune_pipeline.orchestration.process.storage import SettingsStorage

__all__ = ["SettingsStorage"]
