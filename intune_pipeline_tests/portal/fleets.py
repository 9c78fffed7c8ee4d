"""A fleet of three whose operating systems get newer, for pages and answers about runs."""

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline_tests.syncing import Tenant, device


def fleet(version: str) -> list[ManagedDevice]:
    """Three laptops of three users, all with this version."""
    users = ("ann.berg", "bob.falk", "cleo.lund")
    return [device(f"d{n}", f"SN-{n}", f"{user}@acme.example", osVersion=version) for n, user in enumerate(users)]


def last_run(tenant: Tenant) -> int:
    """The id of the last run there is."""
    return int(tenant.rows("select max(id) as id from sync_runs")[0]["id"])
