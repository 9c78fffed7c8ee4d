"""``intune-pipeline sync`` with the time of each stage noted: ``python -m bench.marked REPORT sync ACCOUNT --json``.

A stage ends where the next begins. Between two assets Dagster stores the frame through our IO manager and writes its
events; the two are told apart.
"""

import atexit
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intune_pipeline import garbage_collector

spent: dict[str, list[float]] = {}
last = [0.0, 0.0]


def mark(ended: str) -> None:
    """Give the time since the mark before to a stage."""
    now = [time.perf_counter(), time.process_time()]
    total = spent.setdefault(ended, [0.0, 0.0])
    for index in range(2):
        total[index] += now[index] - last[index]
    last[:] = now


def marked(owner: Any, name: str, before: str, after: str | None) -> None:
    """Mark around a function: what came before it, and itself."""
    wrapped: Callable[..., Any] = getattr(owner, name)

    def around(*arguments: Any, **options: Any) -> Any:
        mark(before)
        result = wrapped(*arguments, **options)
        if after:
            mark(after)
        return result

    setattr(owner, name, around)


def step_marking(own: Callable[..., Any]) -> Callable[..., Any]:
    """`Session.step` with marks around one asset's own work."""

    @contextmanager
    def step(session: Any, name: str) -> Iterator[Any]:
        mark("Dagster between the assets")
        with own(session, name) as connection:
            yield connection
        mark(f"asset {name}")

    return step


def main() -> None:
    report = Path(sys.argv.pop(1))
    atexit.register(lambda: (mark("report, closing"), report.write_text(json.dumps(spent))))
    garbage_collector.collect_rarely()  # As the command does first.
    last[:] = [time.perf_counter() - time.process_time(), 0.0]
    mark("Python's start")
    import dagster as dg

    mark("import of Dagster")
    from intune_pipeline.cli import sync_progress
    from intune_pipeline.cli.main import main as command
    from intune_pipeline.inventory import frames
    from intune_pipeline.orchestration.sync import launch, session

    mark("other imports")
    session.Session.step = step_marking(session.Session.step)  # type: ignore[method-assign]
    marked(sync_progress, "progress_of", "settings, databases, migrations checked", None)
    marked(launch, "build_defs", "Dagster's instance", "definitions")
    marked(dg.JobDefinition, "execute_in_process", "definitions", "Dagster at the run's end")
    marked(frames, "write", "Dagster between the assets", "storing frames")
    command()


if __name__ == "__main__":
    main()
