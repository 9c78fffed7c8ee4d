"""What cannot be avoided, as one process: ``python -m bench.floor TENANT_ID [--collect-rarely]``.

The tenant's pages are fetched, their JSON is parsed, the rows are copied into one table without index or constraint, and
Dagster runs five steps that do nothing, on the same instance. Nothing is cleaned, decided, compared or remembered. Python
searches for garbage as it does by default, unless it is told to collect as rarely as a sync does.
Prints one JSON object: seconds and CPU seconds of each part.
"""

# ruff: noqa: E402 - the imports are measured too
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

STARTED = time.perf_counter(), time.process_time()
COLLECT_RARELY = "--collect-rarely"
if COLLECT_RARELY in sys.argv:
    from intune_pipeline import garbage_collector

    garbage_collector.collect_rarely()

import dagster as dg
import orjson
import psycopg2
import requests

from intune_pipeline.microsoft.graph import LIST_PROPERTIES

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
parts: dict[str, list[float]] = {}


@contextmanager
def part(name: str, since: tuple[float, float] | None = None) -> Iterator[None]:
    """Add what the block takes to a part."""
    wall, cpu = since or (time.perf_counter(), time.process_time())
    yield
    spent = parts.setdefault(name, [0.0, 0.0])
    spent[0] += time.perf_counter() - wall
    spent[1] += time.process_time() - cpu


def main(tenant_id: str) -> None:
    with part("imports", STARTED):
        pass
    pages, received = fetched(tenant_id)
    with part("parse"):
        records = [record for page in pages for record in orjson.loads(page)["value"]]
    with part("copy"):
        copy(records)
    with part("dagster"):
        run_nothing()
    print(json.dumps({"parts": parts, "bytes": received, "devices": len(records)}))


def fetched(tenant_id: str) -> tuple[list[bytes], int]:
    """The bodies of the tenant's list; the next link is found without parsing."""
    ca = os.environ["MICROSOFT_CA_BUNDLE"]
    graph = os.environ["MICROSOFT_GRAPH_URL"]
    credential = {
        "grant_type": "client_credentials",
        "client_id": os.environ["MICROSOFT_CLIENT_ID"],
        "client_secret": os.environ["MICROSOFT_CLIENT_SECRET"],
        "scope": f"{graph}/.default",
    }
    with part("fetch"), requests.Session() as session:
        login = f"{os.environ['MICROSOFT_LOGIN_URL']}/{tenant_id}/oauth2/v2.0/token"
        token = session.post(login, data=credential, verify=ca, timeout=60).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        link = f"{graph}/v1.0/deviceManagement/managedDevices?$select={','.join(LIST_PROPERTIES)}&$top=1000"
        pages = []
        while link:
            body = session.get(link, verify=ca, timeout=60).content
            pages.append(body)
            _, found, rest = body[:2000].partition(b'"@odata.nextLink":"')
            link = rest.partition(b'"')[0].decode() if found else ""
    return pages, sum(map(len, pages))


def copy(records: list[dict[str, object]]) -> None:
    """The rows into one table, which is emptied before, as text."""
    names = list(LIST_PROPERTIES)
    text = io.StringIO()
    for record in records:
        cells = (record.get(name) for name in names)
        text.write(
            "\t".join("\\N" if cell is None else str(cell).replace("\\", "\\\\").replace("\t", " ") for cell in cells)
        )
        text.write("\n")
    text.seek(0)
    with psycopg2.connect(os.environ["ALLWHERE_DATABASE_URL"].replace("+psycopg2", "")) as db:
        cursor = db.cursor()
        columns = ", ".join(f'"{name}" text' for name in names)
        cursor.execute(f"create table if not exists public.floor ({columns}); truncate public.floor")
        cursor.copy_expert("copy public.floor from stdin", text)


def run_nothing() -> None:
    """One run of five assets in a row that return nothing."""
    names = ["one", "two", "three", "four", "five"]
    assets = [nothing(name, before) for name, before in zip(names, [None, *names], strict=False)]
    job = dg.define_asset_job("nothing", executor_def=dg.in_process_executor)
    defs = dg.Definitions(assets=assets, jobs=[job])
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("nothing").execute_in_process(instance=instance, run_config=QUIET)
    assert result.success


def nothing(name: str, before: str | None) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=[before] if before else [])
    def asset() -> None:
        pass

    return asset


if __name__ == "__main__":
    main(sys.argv[1])
