"""An account pays for its own rules, each by what it took."""

from collections.abc import Callable, Iterator

import pytest

from intune_pipeline.domain.rule_budget import RuleBudget, RuleTooDearError


@pytest.fixture
def timer() -> Callable[[], float]:
    """A timer that goes on by a second each time it is looked at."""
    seconds: Iterator[int] = iter(range(1000))
    return lambda: float(next(seconds))


def test_what_all_rules_took_together_counts(timer: Callable[[], float]) -> None:
    budget = RuleBudget(3, timer)
    for rule in ("1", "2", "1"):
        budget.charge(rule, budget.now())
    with pytest.raises(RuleTooDearError, match="longer than 3 seconds, and rule 1 takes most"):
        budget.charge("1", budget.now())


def test_the_rule_that_took_most_in_all_is_named_not_the_slowest_once(timer: Callable[[], float]) -> None:
    budget = RuleBudget(5, timer)
    budget.charge("1", budget.now())
    began = budget.now()
    timer()
    budget.charge("2", began)
    budget.charge("1", budget.now())
    budget.charge("1", budget.now())
    with pytest.raises(RuleTooDearError) as refused:
        budget.charge("3", budget.now())
    assert str(refused.value) == (
        "The account's own rules take longer than 5 seconds, and rule 1 takes most of it. "
        "Make that rule's pattern simpler, with fewer repetitions, or remove it."
    )


def test_the_new_rule_of_a_preview_is_named_so(timer: Callable[[], float]) -> None:
    budget = RuleBudget(1, timer)
    began = budget.now()
    timer()
    with pytest.raises(RuleTooDearError, match="longer than 1 second, and the new rule takes most"):
        budget.charge("new", began)
