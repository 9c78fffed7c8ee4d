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


def test_the_new_rule_of_a_preview_is_named_so(timer: Callable[[], float]) -> None:
    budget = RuleBudget(1, timer)
    began = budget.now()
    timer()
    with pytest.raises(RuleTooDearError, match="longer than 1 second, and the new rule takes most"):
        budget.charge("new", began)
