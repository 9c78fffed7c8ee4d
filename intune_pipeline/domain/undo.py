"""What undoing a run puts back, what it leaves as it is, and why.

Belongs here: the decision, as a value that is shown or applied. Does not belong here: reading and writing
(``inventory.undo``), and what keeps the next sync from doing the same again (``kept``).

Every value the run wrote is put back to what it was, unless somebody changed it since. Assets and employees the run
created are removed, unless something else has touched or needs them. What an undo removed comes back when that undo is
itself undone.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from intune_pipeline.domain.vocabulary import UndoneKind

TOGETHER: Final = frozenset({"status", "assignee_id"})
"""Fields of an asset that one run wrote together are put back together or not at all."""


@dataclass(frozen=True, slots=True)
class WrittenValue:
    """A field of an asset that existed before the run, which wrote it.

    Attributes:
        asset_id: allwhere's id.
        serial_number: The asset's.
        serial_key: In compared form.
        field: The column.
        old: What it held before, as text.
        new: What the run wrote, as text.
        current: What it holds now, as text.
        changed_by: Who changed it since, as a phrase; None: nobody.
        old_is_gone: Whether the value before was an employee who is no longer there.
    """

    asset_id: int
    serial_number: str
    serial_key: str
    field: str
    old: str | None
    new: str | None
    current: str | None
    changed_by: str | None = None
    old_is_gone: bool = False


@dataclass(frozen=True, slots=True)
class CreatedAsset:
    """An asset the run created and that is still there.

    Attributes:
        id: allwhere's id.
        serial_number: The asset's.
        serial_key: In compared form.
        assignee_id: Who holds it now.
        changed_by: Who changed anything of it since, as a phrase; None: nobody.
        content: The row as it is.
    """

    id: int
    serial_number: str
    serial_key: str
    assignee_id: int | None
    changed_by: str | None
    content: Mapping[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedEmployee:
    """An employee the run created and who is still there.

    Attributes:
        id: allwhere's id.
        addresses: How many e-mail addresses they have; the run gave them one.
        asset_ids: The assets they hold now.
        content: The row and its addresses as they are.
    """

    id: int
    addresses: int
    asset_ids: frozenset[int]
    content: Mapping[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemovedRow:
    """A row that the run, itself an undo, removed.

    Attributes:
        id: allwhere's id of what was kept of it.
        kind: Asset or employee.
        content: The row as it was.
        taken_by: What stands in its place now, as a phrase; None: nothing.
    """

    id: int
    kind: UndoneKind
    content: Mapping[str, Any] = field(repr=False)
    taken_by: str | None = None


@dataclass(frozen=True, slots=True)
class Writings:
    """Everything a run wrote, and what became of it since."""

    values: Sequence[WrittenValue] = ()
    assets: Sequence[CreatedAsset] = ()
    employees: Sequence[CreatedEmployee] = ()
    removed: Sequence[RemovedRow] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that is not undone.

    Attributes:
        what: A serial number, or ``employee ID``.
        field: The field, None for the whole.
        reason: Why, one phrase.
    """

    what: str
    field: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What undoing a run does.

    Attributes:
        put_back: Values of existing assets, by asset.
        remove_assets: Assets that go.
        remove_employees: Employees who go, after the assets.
        bring_back: Rows that come back, employees first.
        refused: What is not undone.
    """

    put_back: Mapping[int, Sequence[WrittenValue]]
    remove_assets: Sequence[CreatedAsset]
    remove_employees: Sequence[CreatedEmployee]
    bring_back: Sequence[RemovedRow]
    refused: Sequence[Refusal]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to undo."""
        return not (self.put_back or self.remove_assets or self.remove_employees or self.bring_back)


def plan_undo(written: Writings) -> UndoPlan:
    """Decide about everything a run wrote. The order of what is given never matters."""
    refused: list[Refusal] = []
    put_back = _put_back(written.values, written.removed, refused)
    remove_assets = []
    for asset in sorted(written.assets, key=lambda one: one.id):
        if asset.changed_by:
            refused.append(Refusal(asset.serial_number, None, f"created by the run, but {asset.changed_by} since"))
        else:
            remove_assets.append(asset)
    leaving = {asset.id for asset in remove_assets} | {
        value.asset_id for values in put_back.values() for value in values if value.field == "assignee_id"
    }
    remove_employees = []
    for employee in sorted(written.employees, key=lambda one: one.id):
        if reason := _why_needed(employee, leaving):
            refused.append(Refusal(f"employee {employee.id}", None, reason))
        else:
            remove_employees.append(employee)
    bring_back = []
    for row in sorted(written.removed, key=lambda one: (one.kind is UndoneKind.ASSET, one.id)):
        if row.taken_by:
            what = row.content["serial_number"] if row.kind is UndoneKind.ASSET else f"employee {row.content['id']}"
            refused.append(Refusal(str(what), None, row.taken_by))
        else:
            bring_back.append(row)
    return UndoPlan(put_back, remove_assets, remove_employees, bring_back, refused)


def _put_back(
    values: Iterable[WrittenValue], removed: Iterable[RemovedRow], refused: list[Refusal]
) -> dict[int, list[WrittenValue]]:
    coming = {str(row.content["id"]) for row in removed if row.kind is UndoneKind.EMPLOYEE and not row.taken_by}
    by_asset: dict[int, list[WrittenValue]] = defaultdict(list)
    for value in values:
        if value.current != value.old:
            by_asset[value.asset_id].append(value)
    kept: dict[int, list[WrittenValue]] = {}
    for asset_id, of_asset in sorted(by_asset.items()):
        refusals = {value.field: reason for value in of_asset if (reason := _why_not(value, coming))}
        if refusals.keys() & TOGETHER:
            shared = next(refusals[name] for name in ("assignee_id", "status") if name in refusals)
            refusals |= {
                value.field: refusals.get(value.field, shared) for value in of_asset if value.field in TOGETHER
            }
        refused += [Refusal(of_asset[0].serial_number, name, reason) for name, reason in sorted(refusals.items())]
        if left := sorted((value for value in of_asset if value.field not in refusals), key=lambda one: one.field):
            kept[asset_id] = left
    return kept


def _why_not(value: WrittenValue, coming: Collection[str]) -> str | None:
    """Why a value cannot be put back; None when it can."""
    if value.changed_by:
        return f"{value.changed_by} since"
    if value.current != value.new:
        return "changed since"
    if value.old_is_gone and (value.old or "") not in coming:
        return "the employee who held it before is no longer there"
    return None


def _why_needed(employee: CreatedEmployee, leaving: Set[int]) -> str | None:
    """Why a created employee stays; None when they go."""
    if employee.asset_ids - leaving:
        return "created by the run, but holds other assets"
    if employee.addresses != 1:
        return "created by the run, but has other e-mail addresses since"
    return None
