"""Microsoft's answers as the domain understands them: the evidence of a plan.

Belongs here: asking what `needed_evidence` wants to know. Does not belong here: why it is needed, and what follows.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from intune_pipeline.domain.assignments import Evidence, PrimaryUser
from intune_pipeline.domain.erasure import Erasure, is_erased
from intune_pipeline.domain.reconciliation import NeededEvidence
from intune_pipeline.microsoft import graph


@dataclass(slots=True)
class Asked:
    """What Graph was asked.

    Attributes:
        users: devices whose primary user was asked for.
        existence: devices that were looked for because they are not listed.
        unanswered: of both, those that Graph did not answer about.
        seconds: how long it took.
    """

    users: int = 0
    existence: int = 0
    unanswered: int = 0
    seconds: float = 0.0


class DeviceLookups:
    """What Graph says about single devices in one run; each question that was answered is asked once.

    Args:
        client: opens the tenant's client; called only when there is something to ask.
    """

    def __init__(self, client: Callable[[], graph.GraphClient]) -> None:
        self._client = client
        self._primary_users: dict[str, PrimaryUser | None] = {}
        self._exists: dict[str, bool | None] = {}
        self._asked = Asked()

    def asked(self) -> Asked:
        """What was asked since this was last looked at."""
        asked, self._asked = self._asked, Asked()
        return asked

    def answers(self, needed: NeededEvidence, erased: Sequence[Erasure] = ()) -> Evidence:
        """Ask Graph; what it does not answer, and erased people, are left out, which the domain reads as "not known"."""
        began = time.monotonic()
        users, devices = _unknown(needed.primary_users, self._primary_users), _unknown(needed.existence, self._exists)
        if users:
            found = self._client().primary_users(users).items()
            self._primary_users |= {
                device_id: user for device_id, user in found if not isinstance(user, graph.Unanswered)
            }
        if devices:
            self._exists |= {
                device_id: exists for device_id, exists in self._client().exists(devices).items() if exists is not None
            }
        self._asked.users += len(users)
        self._asked.existence += len(devices)
        self._asked.unanswered += len(_unknown(users, self._primary_users)) + len(_unknown(devices, self._exists))
        self._asked.seconds += time.monotonic() - began
        return Evidence(
            primary_users={
                key: user
                for key in needed.primary_users
                if key in self._primary_users and not _is_erased(erased, user := self._primary_users[key])
            },
            gone=frozenset(key for key in needed.existence if self._exists.get(key) is False),
        )


def _unknown(wanted: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    return tuple(key for key in wanted if key not in known)


def _is_erased(erased: Sequence[Erasure], user: PrimaryUser | None) -> bool:
    return user is not None and is_erased(erased, (user.user_id, user.email, user.user_principal_name))
