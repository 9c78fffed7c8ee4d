"""What undoing a run puts back, what stays as it is, and the reason people read."""

from typing import Any

import pytest

from intune_pipeline.domain.undo import (
    CreatedAsset,
    CreatedEmployee,
    Refusal,
    RemovedRow,
    UndoPlan,
    Writings,
    WrittenValue,
    plan_undo,
)
from intune_pipeline.domain.vocabulary import UndoneKind

NOTHING = UndoPlan({}, [], [], [], [])


def written(asset_id: int = 1, field: str = "os_version", **given: Any) -> WrittenValue:
    """A value a run changed from 10 to 11, and that nobody has touched since."""
    values = {"old": "10", "new": "11", "current": "11", **given}
    return WrittenValue(asset_id, f"SN-{asset_id}", f"SN-{asset_id}", field, **values)


def asset(asset_id: int, changed_by: str | None = None) -> CreatedAsset:
    return CreatedAsset(asset_id, f"SN-{asset_id}", f"SN-{asset_id}", None, changed_by)


def employee(employee_id: int, addresses: int = 1, *asset_ids: int) -> CreatedEmployee:
    return CreatedEmployee(employee_id, addresses, frozenset(asset_ids))


def removed(row_id: int, kind: UndoneKind, taken_by: str | None = None) -> RemovedRow:
    return RemovedRow(row_id, kind, {"id": 100 + row_id, "serial_number": f"SN-{row_id}"}, taken_by)


def test_a_run_that_wrote_nothing_has_nothing_to_undo() -> None:
    assert plan_undo(Writings()) == NOTHING
    assert NOTHING.is_empty


def test_every_value_is_put_back_by_asset_and_field() -> None:
    values = [written(2), written(1, "os_version"), written(1, "make")]
    made = plan_undo(Writings(values))
    assert made == UndoPlan({1: [values[2], values[1]], 2: [values[0]]}, [], [], [], [])
    assert list(made.put_back) == [1, 2]
    assert not made.is_empty


def test_a_value_that_is_back_already_is_not_spoken_of() -> None:
    assert plan_undo(Writings([written(current="10", changed_by="changed by ann")])) == NOTHING


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"changed_by": "changed by ann", "current": "12"}, "changed by ann since"),
        ({"changed_by": "changed by ann"}, "changed by ann since"),
        ({"current": "12"}, "changed since"),
        ({"field": "assignee_id", "old_is_gone": True}, "the employee who held it before is no longer there"),
    ],
)
def test_a_value_that_somebody_changed_since_stays(given: dict[str, Any], reason: str) -> None:
    one = written(**given)
    made = plan_undo(Writings([one, written(1, "make")]))
    assert made.refused == [Refusal("SN-1", one.field, reason)]
    assert made.put_back == {1: [written(1, "make")]}
    assert plan_undo(Writings([one])).put_back == {}


@pytest.mark.parametrize(("changed", "other"), [("status", "assignee_id"), ("assignee_id", "status")])
def test_status_and_assignee_are_put_back_together_or_not_at_all(changed: str, other: str) -> None:
    values = [
        written(1, changed, changed_by="changed by ann"),
        written(1, other),
        written(1, "make"),
        written(2, other),
    ]
    made = plan_undo(Writings(values))
    assert made.refused == [Refusal("SN-1", name, "changed by ann since") for name in ("assignee_id", "status")]
    assert made.put_back == {1: [values[2]], 2: [values[3]]}


def test_of_two_reasons_each_field_keeps_its_own() -> None:
    values = [written(1, "status", current="12"), written(1, "assignee_id", changed_by="changed by ann")]
    assert plan_undo(Writings(values)).refused == [
        Refusal("SN-1", "assignee_id", "changed by ann since"),
        Refusal("SN-1", "status", "changed since"),
    ]
    assert plan_undo(Writings([written(1, "make", current="x"), written(1, "status")])).put_back == {
        1: [written(1, "status")]
    }


def test_every_refusal_of_an_asset_is_told() -> None:
    values = [written(1, "make", current="x"), written(1, "status", current="y"), written(1, "assignee_id")]
    assert [refusal.field for refusal in plan_undo(Writings(values)).refused] == ["assignee_id", "make", "status"]


def test_an_assignee_who_comes_back_with_the_undo_is_put_back() -> None:
    held = written(1, "assignee_id", old="107", old_is_gone=True)
    comes = removed(7, UndoneKind.EMPLOYEE)
    assert plan_undo(Writings([held], removed=[comes])) == UndoPlan({1: [held]}, [], [], [comes], [])
    for other in (removed(8, UndoneKind.EMPLOYEE), removed(7, UndoneKind.ASSET)):
        assert plan_undo(Writings([held], removed=[other])).put_back == {}
    taken = removed(7, UndoneKind.EMPLOYEE, "another employee has the address")
    assert plan_undo(Writings([held], removed=[taken])).put_back == {}
    was_empty = written(1, "assignee_id", old=None, old_is_gone=True)
    assert plan_undo(Writings([was_empty], removed=[comes])).put_back == {}


def test_assets_the_run_created_go_unless_somebody_touched_them() -> None:
    made = plan_undo(Writings(assets=[asset(3), asset(2, "changed by ann"), asset(1)]))
    assert made == UndoPlan(
        {}, [asset(1), asset(3)], [], [], [Refusal("SN-2", None, "created by the run, but changed by ann since")]
    )
    assert not made.is_empty


def test_employees_the_run_created_go_when_nothing_else_needs_them() -> None:
    made = plan_undo(
        Writings(
            values=[written(5, "assignee_id"), written(6, "make")],
            assets=[asset(4)],
            employees=[
                employee(9, 1, 4, 5),
                employee(8),
                employee(7, 1, 4, 6),
                employee(6, 2),
                employee(5, 0),
            ],
        )
    )
    assert made.remove_employees == [employee(8), employee(9, 1, 4, 5)]
    assert made.refused == [
        Refusal("employee 5", None, "created by the run, but has other e-mail addresses since"),
        Refusal("employee 6", None, "created by the run, but has other e-mail addresses since"),
        Refusal("employee 7", None, "created by the run, but holds other assets"),
    ]
    assert not plan_undo(Writings(employees=[employee(8)])).is_empty


def test_an_employee_stays_while_an_asset_that_stays_is_theirs() -> None:
    made = plan_undo(Writings(assets=[asset(4, "changed by ann")], employees=[employee(9, 1, 4)]))
    assert (made.remove_assets, made.remove_employees) == ([], [])
    assert [refusal.what for refusal in made.refused] == ["SN-4", "employee 9"]


def test_what_an_undo_removed_comes_back_employees_first() -> None:
    rows = [removed(2, UndoneKind.ASSET), removed(1, UndoneKind.ASSET), removed(4, UndoneKind.EMPLOYEE)]
    made = plan_undo(Writings(removed=rows))
    assert made == UndoPlan({}, [], [], [rows[2], rows[1], rows[0]], [])
    assert not made.is_empty


def test_what_has_been_replaced_meanwhile_does_not_come_back() -> None:
    rows = [
        removed(2, UndoneKind.ASSET, "another asset has the serial number"),
        removed(4, UndoneKind.EMPLOYEE, "another employee has the address"),
    ]
    assert plan_undo(Writings(removed=rows)) == UndoPlan(
        {},
        [],
        [],
        [],
        [
            Refusal("employee 104", None, "another employee has the address"),
            Refusal("SN-2", None, "another asset has the serial number"),
        ],
    )
