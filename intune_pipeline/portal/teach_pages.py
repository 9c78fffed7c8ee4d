"""Unknown models: saying what they are, and what was said before.

Belongs here: these pages. Does not belong here: what an answer means (``domain.classification``) and keeping it
(``inventory.account_rules``). An answer is kept as a rule with patterns, which people see under *Advanced* only.

What is added is what was previewed: the rule goes through the preview's form sealed, so that nothing of it can change.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from intune_pipeline.domain.facts import shown_model
from intune_pipeline.domain.type_reason import NAMES
from intune_pipeline.domain.vocabulary import DeviceType
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import account_rules, connections, sync_requests, unknown_models, waiting
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin, signed_in_primary_admin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.errors import ConflictError
from intune_pipeline.portal.inputs import Id, Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
MODELS: Final = f"{HOME}/models"
TEACH: Final = f"{MODELS}/teach"
CHECKED = [Depends(checked_form)]

CHOICES: Final[Mapping[str, tuple[str, str]]] = {
    DeviceType.LAPTOP: ("Laptop", ""),
    DeviceType.TABLET: ("Tablet", ""),
    DeviceType.MOBILE: ("Phone", ""),
    DeviceType.UNKNOWN: ("Leave out", "Not an employee device: a meeting-room screen, a server, a kiosk, a desktop."),
}
"""What can be said about a model, each with a hint."""
_SYNCED: Final = frozenset({DeviceType.LAPTOP, DeviceType.TABLET, DeviceType.MOBILE})


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about a model, as it is typed.

    Attributes:
        manufacturer: as Intune shows it; "" for an answer about no model in particular.
        model: likewise.
        device_type: one of `CHOICES`; "" while nothing is chosen.
        note: why.
        model_pattern: under *Advanced*.
        maker_pattern: likewise.
    """

    manufacturer: str = ""
    model: str = ""
    device_type: str = ""
    note: str = ""
    model_pattern: str = ""
    maker_pattern: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether it is about one model and nothing else."""
        return bool(self.model) and (self.model_pattern, self.maker_pattern) == (
            exactly(self.model),
            exactly(self.manufacturer),
        )

    @property
    def about(self) -> str:
        """What it is about, for people."""
        return model_for_people(self.manufacturer, self.model) if self.is_exact else "Every model of this pattern"

    @property
    def sentence(self) -> str:
        """The answer as a sentence."""
        return f"{self.about} is {NAMES[self.device_type]}"


async def answered(
    manufacturer: Annotated[Text, Form()] = "",
    model: Annotated[Text, Form()] = "",
    device_type: Annotated[DeviceType | Literal[""], Form()] = "",
    note: Annotated[Text, Form()] = "",
    model_pattern: Annotated[Text, Form()] = "",
    maker_pattern: Annotated[Text, Form()] = "",
) -> Answer:
    """Dependency: what was typed."""
    return Answer(manufacturer, model, device_type, note.strip(), model_pattern, maker_pattern)


@router.get(MODELS)
def models_page(
    request: Request,
    portal: ThePortal,
    admin: PageAdmin,
    taught: Id | None = None,
    removed: Literal["", "yes"] = "",
) -> Response:
    """Models nobody has said the type of, and what was said about others."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        models = unknown_models.worth_teaching(db, account)
        rules = account_rules.every(db, account)
        link = connections.of_account(db, account)
        is_asked = link is not None and sync_requests.is_open(db, link.id)
        counts = waiting.counts(db, account)
    return page(
        request,
        "models.html",
        tab="models",
        counts=counts,
        models=models,
        rules=[(rule, subject_of(rule)) for rule in rules],
        taught=next((rule for rule in rules if rule.id == taught), None),
        removed=bool(removed),
        subject_of=subject_of,
        choices=CHOICES,
        names=NAMES,
        is_asked=is_asked,
        teach_href=lambda one: teach_href(one.manufacturer, one.model),
    )


@router.get(TEACH, dependencies=[Depends(signed_in_primary_admin)])
def teach_page(request: Request, manufacturer: Text = "", model: Text = "") -> Response:
    """The question what a model is; nothing is chosen beforehand."""
    answer = Answer(manufacturer, model, model_pattern=exactly(model), maker_pattern=exactly(manufacturer))
    return _question(request, answer)


@router.post(TEACH, dependencies=CHECKED)
def preview(
    request: Request, portal: ThePortal, admin: PagePrimaryAdmin, answer: Annotated[Answer, Depends(answered)]
) -> Response:
    """What the answer would change; nothing is changed yet."""
    if answer.device_type not in CHOICES:
        return _question(request, answer, {"device_type": "Choose what it is."})
    try:
        decided = _matched(portal, admin, answer)
    except WrongUseError as refused:
        return _question(request, answer, {"model_pattern": str(refused)})
    return page(
        request,
        "teach_check.html",
        answer=answer,
        decided=decided,
        newly_synced=_devices(decided, before=False, after=True),
        no_longer_synced=_devices(decided, before=True, after=False),
        choices=CHOICES,
        sealed=portal.form_seal.close({"account_id": admin.account.id, "answer": asdict(answer)}),
        again=teach_href(answer.manufacturer, answer.model),
    )


@router.post(f"{MODELS}/rules", dependencies=CHECKED)
def add(portal: ThePortal, admin: PagePrimaryAdmin, sealed: Annotated[str, Form(max_length=20_000)]) -> Response:
    """Keep an answer that was previewed, as it was previewed."""
    opened = portal.form_seal.open(sealed)
    if opened is None or opened.get("account_id") != admin.account.id:
        raise ConflictError("This answer was not previewed, so nothing was changed. Open the model and answer again.")
    answer = Answer(**opened["answer"])
    with portal.transaction(admin.account) as db:
        rule_id = account_rules.add(
            db,
            admin.account.slug,
            answer.maker_pattern,
            answer.model_pattern,
            answer.device_type,
            note=answer.note,
            created_by=admin.label,
        )
    return RedirectResponse(f"{MODELS}?{urlencode({'taught': rule_id})}", status_code=303)


@router.post(f"{MODELS}/rules/remove", dependencies=CHECKED)
def remove_rule(portal: ThePortal, admin: PagePrimaryAdmin, rule_id: Annotated[Id, Form()]) -> Response:
    """Take back what was said about a model."""
    with portal.transaction(admin.account) as db:
        account_rules.remove(db, admin.account.slug, rule_id, actor=admin.label)
    return RedirectResponse(f"{MODELS}?removed=yes", status_code=303)


def previewed(
    portal: PortalContext, admin: Admin, maker_pattern: str, model_pattern: str, device_type: str
) -> list[account_rules.Change]:
    """What a rule would change. The devices are judged when the database connection is given back.

    Raises:
        TooOftenError: the account has asked too often.
        WrongUseError: the rule cannot be used, or takes too long.
    """
    known = _known(portal, admin)
    return account_rules.preview(known, maker_pattern, model_pattern, device_type)


def teach_href(manufacturer: str, model: str) -> str:
    """The page that asks what a model is."""
    return f"{TEACH}?{urlencode({'manufacturer': manufacturer, 'model': model})}"


def exactly(text: str) -> str:
    """The pattern that matches this text and nothing else."""
    return f"^{re.escape(text)}$" if text else ""


def subject_of(rule: account_rules.Rule) -> str | None:
    """The model a rule is about, for people; None for one that is about more than one model."""
    model, maker = _plain(rule.model_pattern), _plain(rule.maker_pattern)
    return model_for_people(maker, model) if model and maker is not None else None


def model_for_people(manufacturer: str, model: str) -> str:
    """Maker and readable model."""
    known = unknown_models.UnknownModel("", manufacturer, model, 0, None)
    return shown_model(manufacturer, known.model_name, model) or model


def _plain(pattern: str) -> str | None:
    """The text that a pattern of `exactly` was made from; None for other patterns."""
    text = re.sub(r"\\(.)", r"\1", pattern.removeprefix("^").removesuffix("$"))
    return text if exactly(text) == pattern else None


def _known(portal: PortalContext, admin: Admin) -> account_rules.Known:
    limits.spend(portal, limits.PREVIEWS, admin.account)
    with portal.transaction(admin.account) as db:
        return account_rules.known(db, admin.account.slug)


def _matched(portal: PortalContext, admin: Admin, answer: Answer) -> list[account_rules.Change]:
    known = _known(portal, admin)
    return account_rules.matched(known, answer.maker_pattern, answer.model_pattern, answer.device_type)


def _devices(decided: Sequence[account_rules.Change], *, before: bool, after: bool) -> int:
    """How many devices are of a type that is synced, or not, now and then."""
    return sum(
        one.devices
        for one in decided
        if (one.device_type in _SYNCED) is before and (one.new_device_type in _SYNCED) is after
    )


def _question(request: Request, answer: Answer, problems: Mapping[str, str] | None = None) -> Response:
    shown: dict[str, Any] = {"answer": answer, "choices": CHOICES, "problems": problems or {}}
    shown["name"] = model_for_people(answer.manufacturer, answer.model) if answer.model else ""
    return page(request, "teach.html", 422 if problems else 200, **shown)
