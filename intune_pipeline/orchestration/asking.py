"""Microsoft's answers as the domain understands them: the evidence of a plan.

Belongs here: asking what `needed_evidence` wants to know. Does not belong here: why it is needed, and what follows.
"""

from intune_pipeline.domain.assignees import Evidence
from intune_pipeline.domain.reconciliation import NeededEvidence
from intune_pipeline.microsoft import graph


def evidence_for(needed: NeededEvidence, client: graph.GraphClient) -> Evidence:
    """Ask Graph; what it does not answer is left out, which the domain reads as "not known"."""
    users = client.primary_users(needed.primary_users) if needed.primary_users else {}
    found = client.exists(needed.existence) if needed.existence else {}
    return Evidence(
        primary_users={device_id: user for device_id, user in users.items() if not isinstance(user, graph.Unanswered)},
        gone=frozenset(device_id for device_id, exists in found.items() if exists is False),
    )
