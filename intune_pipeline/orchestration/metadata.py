"""What people see of an asset in Dagster's UI: its columns, its counts, a few rows without anybody in them.

Belongs here: turning frames, counts and the schema's comments into Dagster metadata. Does not belong here: computing
the counts. A preview is an allow-list of columns: what could name a person, a device or a secret is never in it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from intune_pipeline.domain.facts import fact_values
from intune_pipeline.domain.people.conventions import Conventions
from intune_pipeline.domain.reconciliation import Counts, PersonStep, Plan
from intune_pipeline.domain.rehearsal import RehearsedChange
from intune_pipeline.domain.vocabulary import Outcome
from intune_pipeline.inventory.frames import Snapshot
from intune_pipeline.inventory.unknown_models import UnknownModel

#: Columns that tell nothing about a person or a single device, in the order in which a preview shows them.
PREVIEW_COLUMNS = (
    "manufacturer", "model_name", "model", "operating_system", "ownership", "management_agent", "management_state",
    "device_type", "rule_reason", "skip_reason", "memory_gb", "has_bypass_code", "freshness", "outcome", "reason", "action",
)  # fmt: skip
#: Words that Markdown leaves alone in a table's cell: letters and digits, one sign between them at a time.
_PLAIN_WORD = re.compile(r"\(?[^\W_]+(?:[_.,/+-][^\W_]+)*[).,+]?")
PREVIEW_ROWS = 10
UNKNOWN_ROWS = 25


def column_schema(table: Table) -> dg.TableSchema:
    """The columns of a stored frame with their types and the schema's comments."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type.compile(dialect=postgresql.dialect()).lower(),  # type: ignore[no-untyped-call]
                description=column.comment,
            )
            for column in table.columns
            if column.name != "partition_key"
        ]
    )


def asset_metadata(table: Table) -> dict[str, Any]:
    """What every asset says of itself: the table its frame is stored in, and its columns."""
    return {"dagster/table_name": f"{table.schema}.{table.name}", "dagster/column_schema": column_schema(table)}


def preview(frame: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """What kinds of rows a frame has, the most frequent first: only columns that name nobody, as a Markdown table."""
    names = [name for name in PREVIEW_COLUMNS if name in frame.columns]
    kinds = Counter(zip(*(frame[name].tolist() for name in names), strict=True))
    return kinds_table(names, kinds)


def kinds_table(names: Sequence[str], kinds: Mapping[tuple[object, ...], int]) -> dg.MarkdownMetadataValue:
    """The most frequent kinds with their numbers; the model's name for people goes beside what Intune calls it."""
    rows = sorted(kinds.items(), key=lambda one: (-one[1], str(one[0])))[:PREVIEW_ROWS]
    if not {"operating_system", "manufacturer", "model"} <= set(names):
        return markdown_table([*names, "rows"], [(*kind, count) for kind, count in rows])
    system, maker, model = (names.index(name) for name in ("operating_system", "manufacturer", "model"))

    def named(kind: tuple[object, ...]) -> tuple[object, ...]:
        facts = fact_values(*(str(kind[at] or "") for at in (system, maker, model)))
        return (*kind[:model], facts.get("model_name", ""), *kind[model:])

    header = [*names[:model], "model_name", *names[model:], "rows"]
    return markdown_table(header, [(*named(kind), count) for kind, count in rows])


def synced_kinds(plan: Plan, outcomes: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """What became of which kinds of devices: make, model, type, outcome, reason, action."""
    devices = {step.judged.device.intune_device_id: step.judged for step in plan.steps}
    columns = (outcomes[name].tolist() for name in ("intune_device_id", "outcome", "reason", "action"))
    kinds: Counter[tuple[object, ...]] = Counter()
    for device_id, outcome, reason, action in zip(*columns, strict=True):
        judged = devices.get(device_id)
        if judged is None:
            continue
        device = judged.device
        # A failure's sentence may quote what failed; a skip reason is a word.
        word = reason if outcome == Outcome.SKIPPED else None
        kinds[
            device.manufacturer, device.model, device.operating_system, judged.classification.device_type,
            outcome, word, action,
        ] += 1  # fmt: skip
    names = ("manufacturer", "model", "operating_system", "device_type", "outcome", "reason", "action")
    return kinds_table(names, kinds)


def people_kinds(steps: Iterable[PersonStep]) -> dg.MarkdownMetadataValue:
    """What is planned for which kinds of users: nobody's name, but whether it can be split and why somebody waits."""
    kinds: Counter[tuple[object, ...]] = Counter(
        (
            str(step.action),
            "yes" if step.name else "no",
            str(step.lookalike.grade) if step.lookalike else "",
            "yes" if step.shared_reason else "no",
            step.devices,
        )
        for step in steps
    )
    names = ("action", "name_is_clear", "same_person_as_an_employee", "looks_shared", "devices")
    return kinds_table(names, kinds)


def conventions_table(conventions: Conventions) -> dg.MarkdownMetadataValue:
    """How each mail domain writes addresses and shows names, with how many certain names say so."""
    rows = [
        (
            domain,
            str(convention),
            ", ".join(f"{form}: {count}" for form, count in convention.forms),
            ", ".join(f"{order}: {count}" for order, count in convention.orders),
        )
        for domain, convention in conventions.by_domain.items()
    ]
    return markdown_table(["mail domain", "addresses", "evidence", "order of shown names"], rows)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """A Markdown table; empty values stay empty, and no value can break out of its cell."""
    lines = [header, ["---"] * len(header), *([_cell(value) for value in row] for row in rows)]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def linked_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, note: str = ""
) -> dg.MarkdownMetadataValue:
    """A Markdown table whose cells may be links within the UI: pairs of a word of ours and a path; `note` stands below it."""
    lines = [header, ["---"] * len(header), *([_linked(value) for value in row] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return dg.MetadataValue.md(f"{table}\n\n{note}" if note else table)


def counts_table(counts: Mapping[str, int], *, of: str) -> dg.MarkdownMetadataValue:
    """Counts by name, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return markdown_table([of, "devices"], ordered)


def plotted(prefix: str, counts: Mapping[str, float]) -> dict[str, int]:
    """Counts as plain numbers, which Dagster plots over time."""
    return {f"{prefix}/{name}": int(count) for name, count in sorted(counts.items())}


def shown(snapshot: Snapshot, shows: dg.MarkdownMetadataValue | None = None) -> dict[str, Any]:
    """What every materialization shows of its frame and of the listing it stems from.

    Args:
        snapshot: the frame.
        shows: a preview that tells more than the frame's own columns.
    """
    listing = snapshot.listing
    return {
        "dagster/row_count": len(snapshot.frame),
        "devices_listed": listing.devices_listed,
        "listed_at": dg.MetadataValue.timestamp(listing.listed_at),
        "list_complete": listing.complete,
        "tenant_id": listing.tenant_id,
        "preview": shows or preview(snapshot.frame),
    }


def counts_shown(counts: Counts) -> dict[str, Any]:
    """What a sync did, or would do: every count, the skip reasons as a table too."""
    values = counts.as_dict()
    skipped = values.pop("devices_skipped")
    return {
        **values,
        "devices_skipped": sum(skipped.values()),
        "skip_reasons": counts_table(skipped, of="reason"),
        **plotted("skipped", skipped),
    }


def changed_shown(said: str | None) -> dict[str, Any]:
    """What a sync does otherwise than its inputs showed, where there is something to say."""
    return {"changed_since": dg.MetadataValue.text(said)} if said else {}


def changes_table(plan: Plan) -> dg.MarkdownMetadataValue:
    """How many assets get or change each field; values are for ``plan`` on the command line, not for the event log."""
    fields = Counter((change["action"], name) for change in plan.changes() for name in change["fields"])
    rows = [(action, name, count) for (action, name), count in sorted(fields.items())]
    return markdown_table(["action", "field", "assets"], rows)


def unknown_table(models: Sequence[UnknownModel]) -> dg.MarkdownMetadataValue:
    """What no rule could classify, the most frequent first: what to teach next."""
    rows = [
        (one.operating_system, one.manufacturer, one.model_name, one.model, one.devices)
        for one in models[:UNKNOWN_ROWS]
    ]
    return markdown_table(["operating system", "manufacturer", "name", "model", "devices"], rows)


def rehearsed_table(changes: Sequence[RehearsedChange]) -> dg.MarkdownMetadataValue:
    """What the rules of now judge otherwise than those of the last sync did, for each model."""
    rows = [
        (
            one.known.operating_system,
            one.known.manufacturer,
            one.known.model,
            one.known.devices,
            one.known.device_type,
            one.becomes,
            one.rule,
            one.effect,
        )
        for one in changes[:UNKNOWN_ROWS]
    ]
    return markdown_table(
        ["operating system", "manufacturer", "model", "devices", "was", "becomes", "rule", "effect"], rows
    )


def _cell(value: object) -> str:
    """A value as people read it: never an image, a link or anything else that Markdown would make of it."""
    if value is None or value is pd.NaT or value != value:
        return ""
    text = "".join(character if character.isprintable() else " " for character in str(value))
    words = text.replace("|", "¦").split()
    shown = " ".join(words)
    # Renderers make a link of an address that begins like this, whether anybody asked for one or not.
    is_plain = "www." not in shown.casefold() and all(_PLAIN_WORD.fullmatch(word) for word in words)
    return shown if is_plain else _code(shown)


def _linked(value: object) -> str:
    if isinstance(value, tuple):
        word, path = value
        return f"[{_cell(word)}]({path})"
    return _cell(value)


def _code(text: str) -> str:
    """Text between more backticks than it has itself: nothing in it is Markdown, not even an address."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"
