"""The tables of allwhere's database, described once: for queries, for migrations and for the data dictionary.

Belongs here: tables, constraints and their meaning. Does not belong here: queries and migrations' steps.
Operators import accounts, employees and assets with plain SQL: ids are generated, every column that is not needed has
a default, and compared forms are generated columns.
"""

from intune_pipeline.inventory.schema.access import (
    audit_log,
    heartbeats,
    kept_forms,
    portal_sessions,
    rate_limits,
    security_counts,
)
from intune_pipeline.inventory.schema.assets import (
    account_keys,
    asset_changes,
    assets,
    change_events,
    kept_values,
    undone_rows,
)
from intune_pipeline.inventory.schema.base import SERIAL_KEY_SQL, metadata
from intune_pipeline.inventory.schema.frames import (
    DEVICE_COLUMNS,
    FRAMES,
    PIPELINE,
    allwhere_assets,
    classified_devices,
    employees_frame,
    intune_device_details,
    raw_intune_devices,
    snapshots,
)
from intune_pipeline.inventory.schema.holds import employee_holds, held_assignments, hold_decisions, lifecycle_holds
from intune_pipeline.inventory.schema.mails import mail_subscriptions, mails_told
from intune_pipeline.inventory.schema.people import (
    different_people,
    employee_emails,
    employees,
    erasures,
    known_users,
    merged_employees,
)
from intune_pipeline.inventory.schema.plans import OPEN_PLANS, plan_lines, plans
from intune_pipeline.inventory.schema.runs import (
    OPEN_REQUESTS,
    account_rules,
    alerts,
    device_details,
    device_outcomes,
    failed_devices,
    sync_requests,
    sync_runs,
    unknown_models,
)
from intune_pipeline.inventory.schema.tenants import (
    accounts,
    admin_invitations,
    connect_attempts,
    connections,
    tenant_owners,
)
from intune_pipeline.inventory.schema.webhooks import feed_marks, webhook_deliveries, webhooks

__all__ = [
    "DEVICE_COLUMNS",
    "FRAMES",
    "OPEN_PLANS",
    "OPEN_REQUESTS",
    "PIPELINE",
    "SERIAL_KEY_SQL",
    "account_keys",
    "account_rules",
    "accounts",
    "admin_invitations",
    "alerts",
    "allwhere_assets",
    "asset_changes",
    "assets",
    "audit_log",
    "change_events",
    "classified_devices",
    "connect_attempts",
    "connections",
    "device_details",
    "device_outcomes",
    "different_people",
    "employee_emails",
    "employee_holds",
    "employees",
    "employees_frame",
    "erasures",
    "failed_devices",
    "feed_marks",
    "heartbeats",
    "held_assignments",
    "hold_decisions",
    "intune_device_details",
    "kept_forms",
    "kept_values",
    "known_users",
    "lifecycle_holds",
    "mail_subscriptions",
    "mails_told",
    "merged_employees",
    "metadata",
    "plan_lines",
    "plans",
    "portal_sessions",
    "rate_limits",
    "raw_intune_devices",
    "security_counts",
    "snapshots",
    "sync_requests",
    "sync_runs",
    "tenant_owners",
    "undone_rows",
    "unknown_models",
    "webhook_deliveries",
    "webhooks",
]
