"""Turning templates into answers.

Belongs here: the template engine, what every page shares, and the filters templates use. Does not belong here: what a
page is about.
"""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.templating import Jinja2Templates

from intune_pipeline.domain import vocabulary
from intune_pipeline.domain.classification import NO_RULE
from intune_pipeline.domain.facts import shown_model
from intune_pipeline.domain.kept import WHOLE_ASSET
from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.type_reason import type_sentence
from intune_pipeline.domain.vocabulary import Role
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.portal import words
from intune_pipeline.portal.access import asker_of
from intune_pipeline.portal.words import number

STATIC_DIRECTORY = Path(__file__).parent / "static"


def when(moment: datetime | None) -> Markup:
    """A moment as ``<time>``: in UTC, which the page's script turns into the reader's own time zone."""
    if moment is None:
        return Markup("never")
    in_utc = moment.astimezone(UTC)
    # Nothing of it needs escaping, which a page of a hundred times is faster for.
    return Markup(f'<time datetime="{in_utc:%Y-%m-%dT%H:%M:%SZ}">{in_utc:%-d %b %Y, %H:%M UTC}</time>')  # noqa: S704


#: From how long on a moment is told in which unit.
_UNITS: Final = (
    (timedelta(days=730), timedelta(days=365), "year"),
    (timedelta(days=60), timedelta(days=30), "month"),
    (timedelta(days=1), timedelta(days=1), "day"),
    (timedelta(hours=1), timedelta(hours=1), "hour"),
    (timedelta(minutes=1), timedelta(minutes=1), "minute"),
)


def relative(moment: datetime, now: datetime) -> str:
    """How long ago a moment is, or how long it takes to come: "3 hours ago", "in 2 days"."""
    apart = abs(now - moment)
    for least, unit, name in _UNITS:
        if apart >= least:
            count = words.counted(apart // unit, name)
            return f"{count} ago" if moment <= now else f"in {count}"
    return "just now" if moment <= now else "in a moment"


@pass_context
def ago(context: Context, moment: datetime | None) -> Markup:
    """A moment as how long ago it is, with the exact one and its zone beside it."""
    if moment is None:
        return Markup("never")
    return Markup('<span class="moment">{} {}</span>').format(relative(moment, context["now"]), when(moment))


def address(email: str | None) -> Markup:
    """An e-mail address that may be broken after its at sign."""
    return escape(email or "").replace("@", Markup("@<wbr>"))


def took(run: SyncRun) -> str:
    """How long a run took; "" while it runs."""
    if run.finished_at is None:
        return ""
    seconds = round((run.finished_at - run.started_at).total_seconds())
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{seconds} s" if seconds else "under 1 s"


def _new_token() -> str:
    """What makes a form one of a kind."""
    return secrets.token_urlsafe(16)


_COMPARED = (
    vocabulary.ConnectionStatus, vocabulary.DeliveryStatus, vocabulary.DeviceType, vocabulary.EmployeeAnswer,
    vocabulary.EmployeeHoldKind, vocabulary.HoldKind, vocabulary.KeptKind, vocabulary.LookalikeGrade, vocabulary.PlanLineKind,
    vocabulary.PlanStatus, vocabulary.Presence, vocabulary.RunChange, vocabulary.RunStatus, vocabulary.SkipReason, vocabulary.Trigger, vocabulary.WebhookStatus,
)  # fmt: skip
"""The words that templates decide by."""


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("intune_pipeline.portal"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        when=when, ago=ago, relative=relative, address=address, took=took, number=number, counted=words.counted
    )
    environment.globals.update(
        words=words,
        skipped=SKIPPED,
        shown_model=shown_model,
        type_sentence=type_sentence,
        new_token=_new_token,
        NO_RULE=NO_RULE,
        WHOLE_ASSET=WHOLE_ASSET,
    )
    environment.globals.update({enum.__name__: enum for enum in _COMPARED})
    return environment


_templates = Jinja2Templates(env=_environment())


def page(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A whole page.

    Args:
        request: what is answered.
        template: file in ``templates/``.
        status: the HTTP status.
        context: what the template shows beside the signed-in person and the form token.
    """
    asker = asker_of(request)
    signed_in = asker if asker is not None and asker.session is not None and asker.live else None
    shared = {
        "identity": signed_in.person if signed_in else None,
        "account": signed_in.account if signed_in else None,
        "tenant_domain": signed_in.tenant_domain if signed_in else "",
        "is_primary": signed_in is not None and signed_in.person.role is Role.PRIMARY_ADMIN,
        "form_token": signed_in.form_token if signed_in else "",
        "path": request.url.path,
        "now": request.app.state.portal.clock(),
        "contact": request.app.state.portal.settings.portal_contact,
        "contact_href": request.app.state.portal.settings.contact_href,
    }
    return _templates.TemplateResponse(request, template, shared | context, status_code=status)


def leaving(request: Request, url: str, title: str) -> Response:
    """A page that sends the browser on to somewhere else at once, with a link for when it does not."""
    return page(request, "leaving.html", url=url, title=title)
