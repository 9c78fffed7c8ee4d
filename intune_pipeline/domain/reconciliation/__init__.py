"""The plan of a sync: devices, assets and people as they are, and the connection's policy, become what will be done.

Belongs here: the plan as a value, how it is decided and counted. Does not belong here: who is eligible (``eligibility``),
who owns a field (``fields``), who becomes an assignee (``assignees``), when a device is gone (``lifecycle``), and writing
anything (``inventory.reconciliation`` applies a plan).

In three steps: a few decisions need more than the database knows, and people look at who would be created first::

    needed = needed_evidence(judged, state, policy, listing)         # which devices Graph is asked about
    people = decide_people(judged, state, policy, evidence)          # whom the devices belong to
    made = plan(judged, state, policy, listing, evidence, people)    # decides; prints as it is, is applied as it is

The order of devices, assets and employees never matters.
"""

from intune_pipeline.domain.assignments import EmployeeHold, Evidence, PrimaryUser
from intune_pipeline.domain.fields import DeviceDetails, Sealed
from intune_pipeline.domain.lifecycle import DeviceMemory, LifecycleHold
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation.counting import Counts
from intune_pipeline.domain.reconciliation.deciding import Decider
from intune_pipeline.domain.reconciliation.planning import decide_people, needed_evidence, plan
from intune_pipeline.domain.reconciliation.plans import DecidedPeople, Plan
from intune_pipeline.domain.reconciliation.state import Asset, Listing, NeededEvidence, State
from intune_pipeline.domain.reconciliation.steps import (
    Change,
    DeviceStep,
    Ending,
    KeptChange,
    PersonDecision,
    PersonStep,
)

__all__ = [
    "Asset",
    "Change",
    "Counts",
    "DecidedPeople",
    "Decider",
    "DeviceDetails",
    "DeviceMemory",
    "DeviceStep",
    "EmployeeHold",
    "Ending",
    "Evidence",
    "KeptChange",
    "LifecycleHold",
    "Listing",
    "NeededEvidence",
    "PersonDecision",
    "PersonStep",
    "Plan",
    "Policy",
    "PrimaryUser",
    "Sealed",
    "State",
    "decide_people",
    "needed_evidence",
    "plan",
]
