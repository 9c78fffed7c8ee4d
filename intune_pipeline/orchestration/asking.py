"""Microsoft's answers as the domain understands them: the evidence of a plan.

Belongs here: asking what `needed_evidence` wants to know. Does not belong here: why it is needed, and what follows.
"""

from collections.abc import Sequence

from intune_pipeline.domain.assignees import Evidence, PrimaryUser
from intune_pipeline.domain.erasure import Erasure, is_erased
from intune_pipeline.domain.reconciliation import NeededEvidence
from intune_pipeline.microsoft import graph


def evidence_for(needed: NeededEvidence, client: graph.GraphClient, erased: Sequence[Erasure] = ()) -> Evidence:
    """Ask Graph; what it does not answer, and erased people, are left out, which the domain reads as "not known"."""
    users = client.primary_users(needed.primary_users) if needed.primary_users else {}
    found = client.exists(needed.existence) if needed.existence else {}
    return Evidence(
        primary_users={
            device_id: _primary_user(user)
            for device_id, user in users.items()
            if not isinstance(user, graph.Unanswered)
            and not (user and is_erased(erased, (user.id, user.mail, user.user_principal_name)))
        },
        gone=frozenset(device_id for device_id, exists in found.items() if exists is False),
    )


def _primary_user(user: graph.PrimaryUser | None) -> PrimaryUser | None:
    if user is None:
        return None
    return PrimaryUser(user.id, user.mail or None, user.user_principal_name or None, user.display_name or None)
