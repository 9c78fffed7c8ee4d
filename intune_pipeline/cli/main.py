"""The commands put together, and how every error becomes one sentence and an exit status.

Belongs here: ``main``. Does not belong here: commands.
"""

import sys

import click

from intune_pipeline import garbage_collector
from intune_pipeline.cli import (
    accounts,
    bypass_code,
    classify,
    connections,
    database,
    demo,
    development,
    doctor,
    export,
    facts,
    fleet,
    holds,
    locks,
    needs,
    people,
    people_rights,
    plan,
    portal,
    probe,
    rehearse,
    rules,
    runs,
    sessions,
    sync,
    undo,
    why,
)
from intune_pipeline.errors import PipelineError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="intune-pipeline")
def intune_pipeline() -> None:
    """Sync Microsoft Intune managed devices into allwhere's asset inventory.

    ACCOUNT is an account's slug, which is also its partition in Dagster.
    """


for _command in (
    demo.command,
    development.command,
    database.group,
    connections.group,
    sync.command,
    undo.command,
    plan.command,
    plan.group,
    why.command,
    classify.command,
    facts.command,
    facts.compare,
    rehearse.command,
    rules.group,
    runs.runs,
    runs.run,
    holds.group,
    locks.lock,
    locks.unlock,
    needs.command,
    fleet.command,
    doctor.command,
    probe.command,
    export.command,
    bypass_code.group,
    people_rights.register(people.group),
    portal.command,
    accounts.group,
    sessions.group,
):
    intune_pipeline.add_command(_command)


def main() -> None:
    """Run the command line; every error is one sentence on stderr.

    Exit status: 0 done, 1 the work failed, 2 wrong use or settings.
    """
    garbage_collector.collect_rarely(garbage_collector.NEW_OBJECTS_OF_A_COMMAND)
    try:
        status = intune_pipeline.main(standalone_mode=False)
    except PipelineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_status)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
