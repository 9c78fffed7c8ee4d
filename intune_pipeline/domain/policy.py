"""What an account decided about its connection: the settings that rules read.

Belongs here: the settings' names, meaning and defaults. Does not belong here: the rules that follow from them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of one connection, named as the columns of ``connections``.

    Attributes:
        mdm_assignee_updates: "Allow MDM to update allwhere assignee": the switch for assignee changes and endings.
        hold_lookalike_employees: Hold employees who share a name with one without a work e-mail, until a person decides.
        assignee_confirmations: Consecutive syncs that must show the same new user before the assignee changes.
        enrolment_manager_devices: A user of more devices than this never becomes an assignee by a change.
        absent_lists: Complete lists a device must be absent from before it can be gone.
        absent_hours: Hours between these lists at least.
        lifecycle_max_share: Share of the synced devices that may end in one run.
        lifecycle_max_devices: Number of devices that may end in one run.
    """

    mdm_assignee_updates: bool = False
    hold_lookalike_employees: bool = False
    assignee_confirmations: int = 1
    enrolment_manager_devices: int = 10
    absent_lists: int = 2
    absent_hours: float = 20
    lifecycle_max_share: float = 0.1
    lifecycle_max_devices: int = 50
