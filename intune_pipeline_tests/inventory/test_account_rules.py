"""An account teaches its own rules, and sees what they would change first."""

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.classification import PatternError
from intune_pipeline.inventory import account_rules, audit, sync_runs, unknown_models
from intune_pipeline.inventory.unknown_models import UnknownModel
from intune_pipeline_tests.conftest import ConnectedAccount


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account()


def test_rules_are_tried_in_their_order(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        first = account_rules.add(db, "acme", "", "^Foo", "laptop", note="our own", created_by="ann")
        second = account_rules.add(db, "acme", "Bar", "^Fo+$", "tablet", created_by="ann")
        account_rules.reorder(db, "acme", [second, first], actor="ann")
        assert [rule.id for rule in account_rules.every(db, "acme")] == [second, first]
        assert [(rule.id, rule.device_type) for rule in account_rules.for_classifier(db, "acme")] == [
            (str(second), "tablet"),
            (str(first), "laptop"),
        ]
        account_rules.remove(db, "acme", second, actor="ann")
        third = account_rules.add(db, "acme", "", "^Third", "laptop", created_by="ann")
        assert [rule.id for rule in account_rules.every(db, "acme")] == [first, third]
        assert len(audit.entries(db, "acme")) == 5


def test_rules_added_at_once_all_stay(engine: sa.Engine, acme: ConnectedAccount) -> None:
    barrier = threading.Barrier(5)

    def add(number: int) -> None:
        barrier.wait()
        with engine.begin() as db:
            account_rules.add(db, "acme", "", f"^{number}", "laptop", created_by="ann")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.begin() as db:
        assert [rule.position for rule in account_rules.every(db, "acme")] == [1, 2, 3, 4, 5]


def test_what_cannot_be_used_is_refused(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        with pytest.raises(PatternError):
            account_rules.add(db, "acme", "", "(", "laptop", created_by="ann")
        with pytest.raises(PatternError):
            account_rules.preview(account_rules.known(db, "acme"), "(?=x)", "x", "laptop")
        with pytest.raises(account_rules.RuleError, match="needs a model pattern"):
            account_rules.add(db, "acme", "Dell", " ", "laptop", created_by="ann")
        with pytest.raises(account_rules.RuleError, match="'phone' is no device type"):
            account_rules.add(db, "acme", "", "x", "phone", created_by="ann")
        with pytest.raises(account_rules.RuleError, match="has no rule 7"):
            account_rules.remove(db, "acme", 7, actor="ann")
        with pytest.raises(account_rules.RuleError, match="it has none"):
            account_rules.reorder(db, "acme", [7], actor="ann")
        assert account_rules.every(db, "acme") == []


def test_another_accounts_rule_cannot_be_removed(
    engine: sa.Engine, acme: ConnectedAccount, connect_account: Callable[..., ConnectedAccount]
) -> None:
    connect_account("globex")
    with engine.begin() as db:
        rule = account_rules.add(db, "acme", "", "x", "laptop", created_by="ann")
        with pytest.raises(account_rules.RuleError):
            account_rules.remove(db, "globex", rule, actor="eve")


def test_a_preview_counts_the_known_devices_that_would_change(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        db.execute(
            sa.text("""
                insert into device_outcomes (connection_id, intune_device_id, outcome, operating_system, manufacturer, model)
                select :c, 'z' || n, 'skipped', 'Windows', 'Zorblax', 'Zorb 9000' from generate_series(1, 3) n
                union all select :c, 'y' || n, 'synced', 'iOS', 'Apple', 'iPhone 15' from generate_series(1, 2) n
            """),
            {"c": acme.connection_id},
        )
        change = account_rules.Change("Zorblax", "Zorb 9000", "unknown", "laptop", 3)
        assert account_rules.preview(account_rules.known(db, "acme"), "zorblax", "^zorb", "laptop") == [change]
        account_rules.add(db, "acme", "", "^zorb 9", "laptop", created_by="ann")
        assert account_rules.preview(account_rules.known(db, "acme"), "", "^zorb", "laptop") == []


def test_unknown_models_of_the_last_run_come_most_frequent_first(engine: sa.Engine, acme: ConnectedAccount) -> None:
    few, many = UnknownModel("Windows", "A", "a", 1, "S1"), UnknownModel("Windows", "B", "", 9, None)
    with engine.begin() as db:
        first = sync_runs.open_run(db, acme.connection_id, "manual", "1")
        unknown_models.record(db, first, acme.connection_id, [UnknownModel("Windows", "Old", "old", 5, None)])
        second = sync_runs.open_run(db, acme.connection_id, "manual", "2")
        unknown_models.record(db, second, acme.connection_id, [few, many])
        assert unknown_models.latest(db, "acme") == [many, few]
        unknown_models.record(db, second, acme.connection_id, [])
        assert unknown_models.latest(db, "acme") == []
