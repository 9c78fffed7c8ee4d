"""Learning the conventions of an account's mail domains from its employees and from the names Intune shows.

Belongs here: gathering evidence, independent of any order. Does not belong here: what a convention is (``conventions``).
"""

from collections.abc import Iterable
from heapq import nsmallest
from typing import Final, TypeVar
from zlib import crc32

from intune_pipeline.domain.people.addresses import local_part, matches
from intune_pipeline.domain.people.conventions import Conventions, Evidence, conventions_of, domain_of, usual
from intune_pipeline.domain.people.names import evidence_of

T = TypeVar("T", bound=tuple[str, ...])

ENOUGH: Final = 100
"""Names of a domain that are asked for evidence; more would not say more."""


def learn(shown: Iterable[tuple[str | None, str]], employees: Iterable[tuple[str, str, str]] = ()) -> Conventions:
    """The conventions that an account's employees and users show.

    Args:
        shown: Display name and address of each user.
        employees: First name, last name and address of each employee.
    """
    known: dict[str, set[tuple[str, str, str]]] = {}
    for employee in employees:
        known.setdefault(domain_of(employee[2]), set()).add(employee)
    users: dict[str, set[tuple[str, str]]] = {}
    for name, email in shown:
        if name:
            users.setdefault(domain_of(email), set()).add((name, email))
    found = [one for people in known.values() for one in map(_of_employee, _some(people)) if one]
    found += [one for domain in users for one in (evidence_of(*user) for user in _some(users[domain])) if one]
    return conventions_of(found)


def _some(people: set[T]) -> list[T]:
    """At most `ENOUGH` of them, always the same ones."""
    return nsmallest(ENOUGH, people, key=lambda one: (crc32(one[-1].encode()), one))


def _of_employee(employee: tuple[str, str, str]) -> Evidence | None:
    first, last, email = employee
    found = matches(local_part(email), first.split(), last.split())
    best = max(found, key=lambda match: (usual(match.form) - match.doubt, match.form), default=None)
    return Evidence(domain_of(email), best.form, None) if best and best.doubt < 1 else None
