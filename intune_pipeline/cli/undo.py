"""``undo``: put back what a run wrote and nobody changed since.

Belongs here: the command. Does not belong here: what is put back (``domain.undo``) and how (``inventory.undo``).
"""

import click

from intune_pipeline.cli.bypass_code import operator
from intune_pipeline.domain.nouns import counted


@click.command("undo")
@click.argument("run_id", type=int)
@click.option("--dry-run", is_flag=True, help="Only show what would be undone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run_id: int, *, dry_run: bool, as_json: bool) -> None:
    """Put back what run RUN_ID wrote and nobody changed since; assets and employees it created are removed.

    The undo is itself a run and can be undone. The next sync leaves what was undone as it is while Intune says the same.
    """
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import undo

    with store.opened() as engine:
        done = undo.preview(engine, run_id) if dry_run else undo.undo(engine, run_id, actor=operator())
    if as_json:
        output.print_json(done.as_dict())
        return
    rows = [
        (change["serial_number"], change["action"], field, old, new)
        for change in done.changes
        for field, (old, new) in (change["fields"] or {"": (None, None)}).items()
    ]
    if rows:
        output.print_table(("serial number", "action", "field", "now", "put back"), rows, title=f"Run {run_id}")
    if done.employees:
        people = [(one["email"], one["first_name"], one["last_name"], one["action"]) for one in done.employees]
        output.print_table(("e-mail", "first name", "last name", "action"), people, title="Employees")
    if done.refused:
        refused = [(one.what, one.field, one.reason) for one in done.refused]
        output.print_table(("what", "field", "why it stays"), refused, title="Not undone")
    verb = "would change" if dry_run else "changed"
    click.echo(
        f"Undoing run {run_id} {verb} {counted(len(done.changes), 'asset')} and "
        f"{counted(len(done.employees), 'employee')}; {counted(len(done.refused), 'thing stays as it is', 'things stay as they are')}."
    )
