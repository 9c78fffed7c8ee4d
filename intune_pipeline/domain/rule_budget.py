"""How long an account's own rules may take, and which of them is too dear.

Belongs here: adding up and refusing. Does not belong here: clocks; the caller passes a timer, so that this stays pure.
"""

from collections.abc import Callable

from intune_pipeline.errors import WrongUseError


class RuleTooDearError(WrongUseError):
    """An account's rules take longer than they may; the message names the rule that takes most."""


class RuleBudget:
    """What the rules of one account may cost in one sync or preview.

    Args:
        seconds: all rules and devices together.
        timer: seconds of any clock that never goes back.
    """

    def __init__(self, seconds: float, timer: Callable[[], float]) -> None:
        self._seconds = seconds
        self._timer = timer
        self._spent: dict[str, float] = {}
        self._total = 0.0

    def now(self) -> float:
        """The timer's seconds."""
        return self._timer()

    def charge(self, rule_id: str, began: float) -> None:
        """Add what a rule took since a moment.

        Args:
            rule_id: which rule.
            began: `now` before it was tried.

        Raises:
            RuleTooDearError: that was more than all rules together may take.
        """
        took = self._timer() - began
        self._spent[rule_id] = self._spent.get(rule_id, 0.0) + took
        self._total += took
        if self._total > self._seconds:
            dearest = max(self._spent, key=self._spent.__getitem__)
            which = f"rule {dearest}" if dearest.isdecimal() else f"the {dearest} rule"
            raise RuleTooDearError(
                f"The account's own rules take longer than {self._seconds:g} {'second' if self._seconds == 1 else 'seconds'}, "
                f"and {which} takes most of it. Make that rule's pattern simpler, with fewer repetitions, or remove it."
            )
