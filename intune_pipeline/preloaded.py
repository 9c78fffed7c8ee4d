"""What a process holds ready for the runs that are copied from it: modules, definitions, the catalogues' tables.

Belongs here: imports, and what the first device of a run would load. Does not belong here: connections, threads, settings
and anything of a tenant. Importing this module changes its process for good: only the code server's fork server does, and the
main process of Celery's workers, which works on nothing itself.
"""

import gc
import os

# Both would start a thread when they are imported, which no copy of the process has; a sync needs neither.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

# ruff: noqa: F401 - imports are what this module is for

# What a run imports before and beside the definitions: Dagster's instance as dagster.yaml describes it, and its executor.
import dagster._core.definitions.repository_definition.repository_data_builder
import dagster._core.execution.plan.active
import dagster._core.executor.in_process
import dagster._core.instance.factory
import dagster._core.scheduler
import dagster._core.secrets
import dagster._core.storage.local_compute_log_manager
import dagster._core.storage.root
import dagster._core.storage.sqlite_storage
import dagster._core.utility_ops
import dagster._core.workspace.autodiscovery
import dagster._grpc.impl
import numpy.char
import psycopg2.extras
import upath.implementations.local

import intune_pipeline.orchestration.process.storage
from intune_pipeline.definitions import defs
from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.facts import fact_values
from intune_pipeline.domain.people.names import split_name
from intune_pipeline.orchestration.jobs import INTUNE_SYNC

defs.get_repository_def().get_job(INTUNE_SYNC)
for kind in (
    ("Windows", "LENOVO", "20XW0026US"),
    ("macOS", "Apple", "MacBook Air"),
    ("Android", "samsung", "SM-G991B"),
):
    Classifier().classify(*kind)
    fact_values(*kind)
split_name("Ada Lovelace", "ada.lovelace@example.com")

# Nothing of it is ever garbage: a copy that searches it would write to all of its memory.
gc.collect()
gc.freeze()
