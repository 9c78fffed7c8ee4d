"""Microsoft's answers as the domain understands them: the evidence of a plan.

Belongs here: asking what `needed_evidence` wants to know. Does not belong here: why it is needed, and what follows.
"""

from collections.abc import Sequence

from intune_pipeline.domain.assignees import Evidence
from intune_pipeline.domain.erasure import Erasure, is_erased
from intune_pipeline.domain.reconciliation import NeededEvidence
from intune_pipeline.microsoft import graph


def evidence_for(needed: NeededEvidence, client: graph.GraphClient, erased: Sequence[Erasure] = ()) -> Evidence:
    """Ask Graph; what it does not answer, and erased people, are left out, which the domain reads as "not known"."""
    users = client.primary_users(needed.primary_users) if needed.primary_users else {}
    found = client.exists(needed.existence) if needed.existence else {}
    return Evidence(
        primary_users={
            device_id: user
            for device_id, user in users.items()
            if not isinstance(user, graph.Unanswered)
            and not (user and is_erased(erased, (user.user_id, user.email, user.user_principal_name)))
        },
        gone=frozenset(device_id for device_id, exists in found.items() if exists is False),
    )
