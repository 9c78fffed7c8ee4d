"""What the fork server holds ready for the runs that are copied from it: modules, definitions, the catalogues' tables.

Belongs here: imports, and what the first device of a run would load. Does not belong here: connections, threads, settings
and anything of a tenant. Importing this module changes its process for good: only the fork server does.
"""

import gc
import os

# Both would start a thread when they are imported, which no copy of the process has; a sync needs neither.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

# What a run imports before and beside the definitions: Dagster's instance as dagster.yaml describes it, and its executor.
import dagster._core.definitions.repository_definition.repository_data_builder  # noqa: E402
import dagster._core.execution.plan.active  # noqa: E402
import dagster._core.executor.in_process  # noqa: E402
import dagster._core.instance.factory  # noqa: E402
import dagster._core.scheduler  # noqa: E402
import dagster._core.secrets  # noqa: E402
import dagster._core.storage.local_compute_log_manager  # noqa: E402
import dagster._core.storage.root  # noqa: E402
import dagster._core.storage.sqlite_storage  # noqa: E402
import dagster._core.utility_ops  # noqa: E402
import dagster._core.workspace.autodiscovery  # noqa: E402
import dagster._grpc.impl  # noqa: E402, F401
import numpy.char  # noqa: E402
import psycopg2.extras  # noqa: E402
import upath.implementations.local  # noqa: E402, F401

import intune_pipeline.orchestration.process.storage  # noqa: E402, F401
from intune_pipeline.definitions import defs  # noqa: E402
from intune_pipeline.domain.classification import Classifier  # noqa: E402
from intune_pipeline.domain.facts import fact_values  # noqa: E402
from intune_pipeline.domain.people.names import split_name  # noqa: E402
from intune_pipeline.orchestration.jobs import INTUNE_SYNC  # noqa: E402

defs.get_repository_def().get_job(INTUNE_SYNC)
for kind in (("Windows", "LENOVO", "20XW0026US"), ("macOS", "Apple", "MacBook Air"), ("Android", "samsung", "SM-G991B")):
    Classifier().classify(*kind)
    fact_values(*kind)
split_name("Ada Lovelace", "ada.lovelace@example.com")

# Nothing of it is ever garbage: a copy that searches it would write to all of its memory.
gc.collect()
gc.freeze()
