"""The definitions for a code server that starts its runs as Dagster does by itself, to compare with (``bench.night --spawned``)."""

import multiprocessing
from multiprocessing.context import SpawnProcess

from intune_pipeline.definitions import defs

__all__ = ["defs"]

multiprocessing.get_context("spawn").Process = SpawnProcess  # type: ignore[misc]
