"""Settings, decisions that wait, teaching models, and disconnecting.

Belongs here: these pages. Does not belong here: what a setting does (``domain``) and storing it (``inventory``, which
writes the audit log in the same transaction).
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import DeviceType, LifecycleDecision
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import account_rules, connections, holds, unknown_models
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import (
    Admin,
    PageAdmin,
    PagePrimaryAdmin,
    PageRecentPrimaryAdmin,
    signed_in_primary_admin,
)
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.errors import ConflictError
from intune_pipeline.portal.inputs import EmployeeAnswer, Id, LifecycleAnswer, Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
SETTINGS = f"{HOME}/settings"
HOLDS = f"{HOME}/holds"
MODELS = f"{HOME}/models"
CHECKED = [Depends(checked_form)]


def connected(db: Connection, account: str) -> connections.Record:
    """The account's connection.

    Raises:
        ConflictError: it has none.
    """
    connection = connections.of_account(db, account)
    if connection is None:
        raise ConflictError("Microsoft Intune is not connected. Connect it first.")
    return connection


@router.get(SETTINGS)
def settings_page(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Everything that can be set."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        connection = connections.of_account(db, account)
        if connection is None:
            return RedirectResponse(f"{HOME}/connect", status_code=303)
        shown: dict[str, Any] = {
            "connection": connection,
            "waiting": len(holds.employees_waiting(db, account)) + len(holds.lifecycle_waiting(db, account)),
            "unknown_models": len(unknown_models.latest(db, account)),
        }
    return page(request, "settings.html", **shown)


@router.get(f"{SETTINGS}/assignee")
def assignee_question(request: Request, portal: ThePortal, admin: PagePrimaryAdmin) -> Response:
    """The confirmation as a page, for browsers without script."""
    with portal.transaction(admin.account) as db:
        connection = connected(db, admin.account.slug)
    return page(request, "assignee.html", connection=connection)


@router.post(f"{SETTINGS}/assignee", dependencies=CHECKED)
def set_assignee_updates(portal: ThePortal, admin: PagePrimaryAdmin, allow: Annotated[bool, Form()]) -> Response:
    """Turn "Allow MDM to update allwhere assignee" on or off."""
    return _set(portal, admin, {"mdm_assignee_updates": allow})


@router.post(f"{SETTINGS}/lookalikes", dependencies=CHECKED)
def set_lookalikes(portal: ThePortal, admin: PagePrimaryAdmin, hold: Annotated[bool, Form()]) -> Response:
    """Turn holding look-alikes on or off."""
    return _set(portal, admin, {"hold_lookalike_employees": hold})


def _set(portal: PortalContext, admin: Admin, values: dict[str, bool]) -> Response:
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        connections.change_settings(db, admin.account.slug, values, actor=admin.label)
    return RedirectResponse(SETTINGS, status_code=303)


@router.get(f"{SETTINGS}/disconnect")
def disconnect_question(request: Request, portal: ThePortal, admin: PagePrimaryAdmin) -> Response:
    """What disconnecting does and does not do."""
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
    return page(request, "disconnect.html")


@router.post(f"{SETTINGS}/disconnect", dependencies=CHECKED)
def disconnect(portal: ThePortal, admin: PageRecentPrimaryAdmin) -> Response:
    """Disconnect; assets, employees and history stay."""
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        connections.disconnect(db, admin.account.slug, actor=admin.label)
    return RedirectResponse(HOME, status_code=303)


@router.get(HOLDS)
def holds_page(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """What waits for a decision."""
    with portal.transaction(admin.account) as db:
        employees = holds.employees_waiting(db, admin.account.slug)
        lifecycle = holds.lifecycle_waiting(db, admin.account.slug)
    return page(request, "holds.html", employees=employees, lifecycle=lifecycle)


@router.post(f"{HOLDS}/employees", dependencies=CHECKED)
def decide_employees(
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    hold_id: Annotated[list[Id], Form()],
    decision: Annotated[EmployeeAnswer, Form()],
) -> Response:
    """Create, link or skip look-alikes."""
    with portal.transaction(admin.account) as db:
        holds.decide_employees(db, admin.account.slug, hold_id, decision, decided_by=admin.label)
    return RedirectResponse(HOLDS, status_code=303)


@router.post(f"{HOLDS}/lifecycle", dependencies=CHECKED)
def decide_lifecycle(
    portal: ThePortal, admin: PageRecentPrimaryAdmin, decision: Annotated[LifecycleAnswer, Form()]
) -> Response:
    """Release or drop held lifecycle ends."""
    with portal.transaction(admin.account) as db:
        holds.decide_lifecycle(db, admin.account.slug, LifecycleDecision(decision), decided_by=admin.label)
    return RedirectResponse(HOLDS, status_code=303)


@router.get(MODELS)
def models_page(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Models allwhere does not know, and the account's own rules."""
    with portal.transaction(admin.account) as db:
        models = unknown_models.latest(db, admin.account.slug)
        rules = account_rules.every(db, admin.account.slug)
    return page(request, "models.html", models=models, rules=rules, teach_href=_teach_href)


@router.get(f"{MODELS}/teach", dependencies=[Depends(signed_in_primary_admin)])
def teach_page(
    request: Request,
    manufacturer: Text = "",
    model: Text = "",
) -> Response:
    """A rule to write, filled in for one model."""
    rule = {
        "model_pattern": _exactly(model),
        "maker_pattern": _exactly(manufacturer),
        "device_type": "laptop",
        "note": "",
    }
    return page(request, "teach.html", rule=rule, changes=None, problem=None)


@router.post(f"{MODELS}/teach", dependencies=CHECKED)
def teach(
    request: Request,
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    device_type: Annotated[DeviceType, Form()],
    model_pattern: Annotated[Text, Form()] = "",
    maker_pattern: Annotated[Text, Form()] = "",
    note: Annotated[Text, Form()] = "",
    step: Annotated[Literal["preview", "add"], Form()] = "preview",
) -> Response:
    """Show what a rule would change, or add it."""
    rule = {"model_pattern": model_pattern, "maker_pattern": maker_pattern, "device_type": device_type, "note": note}
    changes: Sequence[account_rules.Change] | None = None
    problem = None
    try:
        changes = previewed(portal, admin, maker_pattern, model_pattern, device_type)
        if step == "add":
            with portal.transaction(admin.account) as db:
                account_rules.add(
                    db,
                    admin.account.slug,
                    maker_pattern,
                    model_pattern,
                    device_type,
                    note=note,
                    created_by=admin.label,
                )
            return RedirectResponse(MODELS, status_code=303)
    except WrongUseError as refused:
        problem = str(refused)
    return page(request, "teach.html", 422 if problem else 200, rule=rule, changes=changes, problem=problem)


def previewed(
    portal: PortalContext, admin: Admin, maker_pattern: str, model_pattern: str, device_type: str
) -> list[account_rules.Change]:
    """What a rule would change. The devices are judged when the database connection is given back.

    Raises:
        TooOftenError: the account has asked too often.
        WrongUseError: the rule cannot be used, or takes too long.
    """
    limits.spend(portal, limits.PREVIEWS, admin.account)
    with portal.transaction(admin.account) as db:
        known = account_rules.known(db, admin.account.slug)
    return account_rules.preview(known, maker_pattern, model_pattern, device_type)


@router.post(f"{MODELS}/rules/remove", dependencies=CHECKED)
def remove_rule(portal: ThePortal, admin: PagePrimaryAdmin, rule_id: Annotated[Id, Form()]) -> Response:
    """Remove one of the account's own rules."""
    with portal.transaction(admin.account) as db:
        account_rules.remove(db, admin.account.slug, rule_id, actor=admin.label)
    return RedirectResponse(MODELS, status_code=303)


def _teach_href(model: unknown_models.UnknownModel) -> str:
    return f"{MODELS}/teach?{urlencode({'manufacturer': model.manufacturer, 'model': model.model})}"


def _exactly(text: str) -> str:
    """The pattern that matches this text and nothing else."""
    return f"^{re.escape(text)}$" if text else ""
