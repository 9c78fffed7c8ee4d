"""An account teaches its own rules, and sees what they would change first."""

import threading
import time
from collections import deque
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.classification import AccountRule
from intune_pipeline.domain.patterns import PatternError
from intune_pipeline.domain.rule_budget import RuleTooDearError
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


def known_of(rules: list[tuple[str, str]], models: int) -> account_rules.Known:
    """An account with these model patterns and types as rules, and so many models of a device each."""
    return account_rules.Known(
        [AccountRule(str(number), "", pattern, kind, "") for number, (pattern, kind) in enumerate(rules, start=1)],
        [account_rules.KnownModel("Windows", "Zorblax", f"Zorb {n} {'x' * 200}", 1) for n in range(models)],
    )


@pytest.mark.parametrize("pattern", ["(.?){990}q", r"\pL{1,30}", "((a?){30}){30}b"])
def test_a_pattern_that_compiles_to_very_much_is_refused(pattern: str) -> None:
    """One preview with 300 of the first kind took 72 s, and twelve stopped every page for a quarter of an hour."""
    with pytest.raises(PatternError, match="instructions, 1000 are allowed"):
        account_rules.preview(known_of([], 1), "", pattern, "laptop")


def test_a_preview_is_given_up_after_a_second_whatever_rules_there_are() -> None:
    """Rules from before the limit of size may still be there."""
    known = known_of([("(.?){990}q", "laptop")] * 300, 5000)
    began = time.thread_time()
    with pytest.raises(RuleTooDearError, match=r"longer than 1 second, and rule \d+ takes most"):
        account_rules.preview(known, "", "^zorb", "laptop")
    assert time.thread_time() - began < 3


def test_a_sync_pays_for_rules_up_to_its_budget_and_names_the_dearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_rules, "SYNC_SECONDS", 0.2)
    rules = [AccountRule("7", "", "^cheap$", "laptop", ""), AccountRule("8", "", "(.?){990}q", "laptop", "")]
    classifier = account_rules.classifier(rules)
    models = (f"Zorb {number} {'x' * 200}" for number in range(100_000))
    with pytest.raises(RuleTooDearError, match="and rule 8 takes most"):
        deque((classifier.classify("Windows", "Zorblax", model) for model in models), maxlen=0)


def test_two_hundred_ordinary_rules_stay_within_the_budget() -> None:
    rules = [
        AccountRule(str(n), "", f"^(acme|zorblax) model {n}[a-z]* (pro|air)$", "laptop", "") for n in range(1, 200)
    ]
    models = [account_rules.KnownModel("Windows", "Zorblax", f"Zorb {n} G8 Notebook PC", 10) for n in range(300)]
    changes = account_rules.preview(account_rules.Known(rules, models), "zorblax", "^zorb [0-9]+ g8", "tablet")
    assert sum(change.devices for change in changes) == 3000


def test_a_preview_changes_nothing_that_an_earlier_rule_decides() -> None:
    known = known_of([("^zorb [0-4] ", "laptop")], 10)
    assert sum(change.devices for change in account_rules.preview(known, "", "^zorb", "tablet")) == 5
    assert account_rules.preview(known, "", "^zorb", "unknown") == []


def test_an_account_has_two_hundred_rules_at_most(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        for number in range(account_rules.MOST_RULES):
            account_rules.add(db, "acme", "", f"^{number}$", "laptop", created_by="ann")
        with pytest.raises(account_rules.RuleError, match="may have 200 rules"):
            account_rules.add(db, "acme", "", "^one more$", "laptop", created_by="ann")
