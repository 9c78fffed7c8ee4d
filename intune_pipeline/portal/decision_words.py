"""What can be decided, in sentences: on the button, above the check, and after it is done.

Belongs here: words. Does not belong here: deciding (``inventory.holds``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from intune_pipeline.domain.vocabulary import EmployeeAnswer, EmployeeDecision, EmployeeHoldKind, LifecycleDecision
from intune_pipeline.portal.words import number


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to what waits.

    Attributes:
        value: what forms send.
        decision: as it is stored.
        one: the button for one.
        many: the button for some; ``{n}`` is their number.
        chosen: the button while nobody has counted.
        done_one: what was decided about one, after it.
        done_many: about some.
        consequences: what follows, sentences.
        dangerous: whether assets or people change that are there already.
    """

    value: str
    decision: str
    one: str
    many: str
    chosen: str
    done_one: str
    done_many: str
    consequences: tuple[str, ...]
    dangerous: bool = False

    def button(self, count: int) -> str:
        """The sentence on the button."""
        return _filled(self.one, self.many, count)

    def done(self, count: int) -> str:
        """The sentence after it."""
        return _filled(self.done_one, self.done_many, count)


def _filled(one: str, many: str, count: int) -> str:
    return one if count == 1 else many.replace("{n}", number(count))


_SKIP_CONSEQUENCE: Final = "No sync creates an employee for them, now or later, and their devices have no assignee."
LOOKALIKES: Final = (
    Answer(
        EmployeeAnswer.LINK,
        EmployeeDecision.LINKED,
        "Make this person one with the employee beside them",
        "Make these {n} people one with the employee beside them",
        "Make those chosen one with the employee beside them",
        "1 person is one with the employee beside them",
        "{n} people are one with the employee beside them",
        (
            "The work e-mail of each is written down with the employee beside them; every sync finds them by it.",
            "At the next sync the employee becomes the assignee of the person's devices.",
        ),
    ),
    Answer(
        EmployeeAnswer.CREATE,
        EmployeeDecision.CREATED,
        "Add this person as a new employee",
        "Add these {n} people as new employees",
        "Add those chosen as new employees",
        "1 person is a new employee",
        "{n} people are new employees",
        (
            "The next sync adds an employee for each and makes them the assignee of their devices.",
            "The employees beside them stay as they are. If both are one person after all, you can merge them later.",
        ),
    ),
    Answer(
        EmployeeAnswer.SKIP,
        EmployeeDecision.SKIPPED,
        "Leave this person out",
        "Leave these {n} people out",
        "Leave those chosen out",
        "1 user is left out",
        "{n} users are left out",
        (_SKIP_CONSEQUENCE,),
    ),
)
SHARED: Final = (
    Answer(
        EmployeeAnswer.SKIP,
        EmployeeDecision.SKIPPED,
        "This is no person: leave it out",
        "These {n} are no people: leave them out",
        "Those chosen are no people: leave them out",
        "1 user is left out",
        "{n} users are left out",
        (_SKIP_CONSEQUENCE,),
    ),
    Answer(
        EmployeeAnswer.CREATE,
        EmployeeDecision.CREATED,
        "This is a person: add the employee",
        "These {n} are people: add them as employees",
        "Those chosen are people: add them as employees",
        "1 person is a new employee",
        "{n} people are new employees",
        ("The next sync adds an employee for each and makes them the assignee of their devices.",),
    ),
)
DEVICES: Final = (
    Answer(
        LifecycleDecision.RELEASED,
        LifecycleDecision.RELEASED,
        "End this device's assignment",
        "End the assignments of these {n} devices",
        "End the assignments of those chosen",
        "The assignment of 1 device ends",
        "The assignments of {n} devices end",
        (
            "At the next sync the asset of each device that is still gone becomes Transferred, without an assignee.",
            "A device that is back in Intune by then keeps its asset as it is.",
        ),
        dangerous=True,
    ),
    Answer(
        LifecycleDecision.DROPPED,
        LifecycleDecision.DROPPED,
        "Keep this device's asset as it is",
        "Keep the assets of these {n} devices as they are",
        "Keep the assets of those chosen as they are",
        "1 asset stays as it is",
        "{n} assets stay as they are",
        ("Status and assignee of each asset stay, for as long as the device is away from Intune.",),
    ),
)
OF_PEOPLE: Final[Mapping[str, tuple[Answer, ...]]] = {
    EmployeeHoldKind.LOOKALIKE: LOOKALIKES,
    EmployeeHoldKind.SHARED: SHARED,
}
IMPOSSIBLE: Final[Mapping[str, str]] = {
    EmployeeAnswer.LINK: "looks like no employee any more, as that employee was removed meanwhile",
    EmployeeAnswer.CREATE: "has no first and last name in Intune; add the employee with this e-mail in allwhere",
}
"""Why an answer cannot be given about somebody, after their name."""

_BY_DECISION: Final[Mapping[str, Answer]] = {one.decision: one for one in (*DEVICES, *SHARED, *LOOKALIKES)}


def of_decision(decision: str) -> Answer:
    """The answer that is stored as this."""
    return _BY_DECISION[decision]


def answer(answers: tuple[Answer, ...], value: str) -> Answer | None:
    """The answer that a form sends as this; None for one that is not offered."""
    return next((one for one in answers if one.value == value), None)
