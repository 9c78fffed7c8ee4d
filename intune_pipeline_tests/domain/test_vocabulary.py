"""Statuses, reasons, outcomes, actions, triggers and decisions are written once, in the vocabulary.

Everywhere else their enums' members stand. A word inside a longer text (SQL, sentences) is no word of its own, and neither is
a name of a record's field or of a parameter: a key beside keys that are no words, what is read by ``get`` or an index.
"""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby
from pathlib import Path

import pytest

import intune_pipeline
from intune_pipeline.domain import vocabulary

PACKAGE = Path(intune_pipeline.__file__).parent
WATCHED: tuple[type[StrEnum], ...] = (
    vocabulary.AskedOutcome,
    vocabulary.AssetAction,
    vocabulary.AssetStatus,
    vocabulary.Check,
    vocabulary.ConnectStep,
    vocabulary.ConnectionStatus,
    vocabulary.Decided,
    vocabulary.DeliveryStatus,
    vocabulary.DetailState,
    vocabulary.DeviceType,
    vocabulary.EmployeeAnswer,
    vocabulary.EmployeeDecision,
    vocabulary.EmployeeHoldKind,
    vocabulary.EndOfConnection,
    vocabulary.FailureReason,
    vocabulary.InvitationStatus,
    vocabulary.KeptKind,
    vocabulary.LifecycleDecision,
    vocabulary.LookalikeGrade,
    vocabulary.NeedKind,
    vocabulary.Outcome,
    vocabulary.OwnCause,
    vocabulary.OwnershipProblem,
    vocabulary.PersonAction,
    vocabulary.PlanLineKind,
    vocabulary.PlanStatus,
    vocabulary.Presence,
    vocabulary.RequestStatus,
    vocabulary.Role,
    vocabulary.RunChange,
    vocabulary.RunPhase,
    vocabulary.RunStatus,
    vocabulary.SecurityEvent,
    vocabulary.SkipReason,
    vocabulary.Trigger,
    vocabulary.UndoAction,
    vocabulary.WebhookEvent,
    vocabulary.WebhookStatus,
)
WORDS = {member.value: kind for kind in WATCHED for member in kind}
ELSEWHERE = ("migrations", "sandbox")
"""Revisions are frozen; the sandbox plays Microsoft, whose words are its own."""
HOMONYMS: dict[str, set[str]] = {
    # Sentences and labels for people.
    "cli/fleet.py": {"late"},
    "cli/undo.py": {"changed"},
    "inventory/history.py": {"unknown"},
    "inventory/story.py": {"changed", "locked"},
    "orchestration/fleet.py": {"late"},
    "orchestration/schedules.py": {"none"},
    "orchestration/sync/story.py": {"none"},
    "portal/metrics.py": {"unknown"},
    # Names of fields, counts, plots, constraints, parameters of addresses and database roles.
    "cli/sync.py": {"error"},
    "inventory/change_feed.py": {"kept"},
    "inventory/fleet_overview.py": {"released"},
    "inventory/row_security.py": {"operator"},
    "inventory/schema/holds.py": {"undone"},
    "inventory/sync_runs.py": {"error"},
    "orchestration/assets.py": {"details", "skipped"},
    "orchestration/catalog.py": {"created", "updated"},
    "orchestration/metadata.py": {"skipped"},
    "portal/decided_pages.py": {"undone"},
    # Actions of the audit log.
    "inventory/holds.py": {"undo"},
    "inventory/undo.py": {"undo"},
    "inventory/webhooks.py": {"changed", "created", "removed"},
    "portal/audit_words.py": {"changed", "on"},
    # What a step came to, kept by the module that does it.
    "cli/facts_upkeep.py": {"changed"},
    "domain/rehearsal.py": {"created"},
    "inventory/connect_attempts.py": {"unknown"},
    "microsoft/consent.py": {"failed", "refused"},
    "portal/duplicate_pages.py": {"done", "gone"},
    "portal/templates/duplicates.html": {"gone"},
    "portal/verification.py": {"connected", "overtaken", "refused", "unknown"},
    # Words of other kinds: severities and audiences, rules and values of Intune, initials, years, PostgreSQL's, settings.
    "domain/classification.py": {"none"},
    "domain/eligibility.py": {"canceled", "failed"},
    "domain/people/lookalikes.py": {"initial"},
    "inventory/device_filters.py": {"unknown"},
    "inventory/embedded_postgres.py": {"ready"},
    "microsoft/causes.py": {"error", "operator"},
    "settings.py": {"on"},
}
"""By file, words that mean something else there."""


def sources(ending: str) -> list[Path]:
    found = [path for path in PACKAGE.rglob(f"*{ending}") if not set(path.relative_to(PACKAGE).parts) & {*ELSEWHERE}]
    return [path for path in found if path != Path(vocabulary.__file__)]


def names(tree: ast.AST) -> Iterator[ast.expr | None]:
    """Texts that name a field, a parameter, a column, a command or a table's heading."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=named) | ast.Tuple(elts=named) | ast.List(elts=named) | ast.Set(elts=named):
                if any(isinstance(one, ast.Constant) and one.value not in WORDS for one in named):
                    yield from named
            case ast.Subscript(slice=index):
                yield index
            case ast.Call(
                func=ast.Attribute(attr="get" | "command") | ast.Name(id="Column" | "Table"), args=[first, *_]
            ):
                yield first
            case ast.Expr(value=text):
                yield text
            case _:
                pass


def bare_words(source: str) -> Iterator[tuple[str, int]]:
    tree = ast.parse(source)
    known = {id(one) for one in names(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in known and node.value in WORDS:
            yield node.value, node.lineno


def bare_words_of_template(source: str) -> Iterator[tuple[str, int]]:
    for block in re.finditer(r"\{[{%].*?[}%]\}", source, re.DOTALL):
        compared = re.findall(r"""(?:[=!]=|\bin \[)\s*["']([^"']+)["']""", block.group())
        yield from ((word, source.count("\n", 0, block.start()) + 1) for word in compared if word in WORDS)


def found_in(path: Path) -> Iterator[tuple[str, int]]:
    source = path.read_text()
    return bare_words(source) if path.suffix == ".py" else bare_words_of_template(source)


def test_no_word_of_the_vocabulary_stands_bare_elsewhere() -> None:
    bare = {
        f"{path.relative_to(PACKAGE)}:{line}: {word!r} is a {WORDS[word].__name__}"
        for path in (*sources(".py"), *sources(".html"))
        for word, line in found_in(path)
        if word not in HOMONYMS.get(str(path.relative_to(PACKAGE)), ())
    }
    assert not bare, "\n".join(sorted(bare))


def test_every_homonym_is_still_there() -> None:
    used = {name: {word for word, _ in found_in(PACKAGE / name)} for name in HOMONYMS}
    assert {name: words - used[name] for name, words in HOMONYMS.items() if words - used[name]} == {}


@pytest.mark.parametrize(
    "source",
    [
        'run.status == "succeeded"',
        'kind in {"created", "updated"}',
        'told = {"running": "Running", "failed": "Failed"}',
        'sync(trigger="schedule")',
        'state = "fetched" if fresh else "kept"',
        'count(rows, "skipped")',
    ],
)
def test_a_bare_word_is_found(source: str) -> None:
    assert list(bare_words(source))


def test_names_of_fields_are_no_words() -> None:
    source = 'row["failed"]; answer.get("error"); {"created": 1, "devices_listed": 2}; Column("error", Text)'
    assert not list(bare_words(source))


def test_a_word_compared_in_a_template_is_found() -> None:
    assert list(bare_words_of_template('\n{% if run.status == "failed" %}')) == [("failed", 2)]
    assert not list(bare_words_of_template('<p class="failed">{{ run.status }}</p>'))


def test_members_of_one_enum_are_one_word_each() -> None:
    for kind in WATCHED:
        values = sorted(member.value for member in kind.__members__.values())
        assert all(len(list(same)) == 1 for _, same in groupby(values)), kind
