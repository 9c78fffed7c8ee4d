"""The JSON API's routes about the account's own rules, and the models no rule knows.

Belongs here: routes and their schemas. Does not belong here: keeping rules (``inventory.account_rules``).
"""

from datetime import datetime

from fastapi import APIRouter

from intune_pipeline.domain.vocabulary import DeviceType
from intune_pipeline.inventory import account_rules
from intune_pipeline.inventory import unknown_models as unknown_models_store
from intune_pipeline.portal.access import TokenAdmin, TokenPrimaryAdmin
from intune_pipeline.portal.api_schema import COMMON, CONFLICT, NOT_FOUND, TOO_OFTEN, Input, Output, ThePortal
from intune_pipeline.portal.inputs import FilledText, Id, Text
from intune_pipeline.portal.teach_pages import previewed

router = APIRouter(prefix="/api/v1", responses=COMMON)


class UnknownModel(Output):
    """A model whose type is unknown."""

    manufacturer: str
    model_name: str
    model: str
    operating_system: str
    devices: int
    example_serial_number: str | None


class NewRule(Input):
    """A rule for device types, tried before allwhere's catalogue. Patterns are RE2."""

    model_pattern: FilledText
    maker_pattern: Text = ""
    device_type: DeviceType
    note: Text = ""


class Rule(Output):
    """One of the account's own rules."""

    id: int
    model_pattern: str
    maker_pattern: str
    device_type: DeviceType
    note: str
    created_by: str
    created_at: datetime


class RuleChange(Output):
    """Known devices of one model that a rule would change."""

    manufacturer: str
    model_name: str
    model: str
    device_type: DeviceType
    new_device_type: DeviceType
    devices: int


@router.get("/unknown-models")
def unknown_models(portal: ThePortal, admin: TokenAdmin) -> list[UnknownModel]:
    """Models the last sync could not tell the type of, most devices first."""
    with portal.transaction(admin.account) as db:
        return [UnknownModel.model_validate(m) for m in unknown_models_store.worth_teaching(db, admin.account.slug)]


@router.get("/rules")
def rules(portal: ThePortal, admin: TokenAdmin) -> list[Rule]:
    """The account's own rules in the order they are tried."""
    with portal.transaction(admin.account) as db:
        return [Rule.model_validate(rule) for rule in account_rules.every(db, admin.account.slug)]


@router.post("/rules/preview", responses=CONFLICT | TOO_OFTEN)
def preview_rule(portal: ThePortal, admin: TokenPrimaryAdmin, rule: NewRule) -> list[RuleChange]:
    """Which known devices a rule would change; changes nothing. Primary Admins only."""
    changes = previewed(portal, admin, rule.maker_pattern, rule.model_pattern, rule.device_type)
    return [RuleChange.model_validate(change) for change in changes]


@router.post("/rules", status_code=201, responses=CONFLICT)
def add_rule(portal: ThePortal, admin: TokenPrimaryAdmin, rule: NewRule) -> list[Rule]:
    """Add a rule; it takes effect at the next sync. Answers all rules. Primary Admins only."""
    with portal.transaction(admin.account) as db:
        account_rules.add(
            db,
            admin.account.slug,
            rule.maker_pattern,
            rule.model_pattern,
            rule.device_type,
            note=rule.note,
            created_by=admin.label,
        )
        return [Rule.model_validate(kept) for kept in account_rules.every(db, admin.account.slug)]


@router.delete("/rules/{rule_id}", status_code=204, responses=NOT_FOUND | CONFLICT)
def remove_rule(portal: ThePortal, admin: TokenPrimaryAdmin, rule_id: Id) -> None:
    """Remove a rule. Primary Admins only."""
    with portal.transaction(admin.account) as db:
        account_rules.remove(db, admin.account.slug, rule_id, actor=admin.label)
