"""Forms sent with a sign-in that has ended or is too old: kept, and shown again after signing in.

Belongs here: keeping and showing again. Does not belong here: storing (``inventory.sessions``). Only a form that carries the
token of its own session is kept, so that no other site has one kept, and it is shown only to the same person for the same
account.
"""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from intune_pipeline.inventory import sessions
from intune_pipeline.portal.access import PageAdmin, asker_of
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.errors import NotHereError
from intune_pipeline.portal.inputs import FilledText
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import same_token

router = APIRouter(include_in_schema=False)
AGAIN: Final = f"{HOME}/send-again"
_MOST_FIELDS: Final = 1000
_MOST_SHOWN: Final = 5
#: What a page put into its form for itself.
_OF_THE_PAGE: Final = frozenset({"shown_count", "shown_fingerprint", "shown_at", "sealed"})


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form as it was sent.

    Attributes:
        path: where to.
        fields: names and values in order, without the form token.
    """

    path: str
    fields: list[tuple[str, str]]

    @property
    def typed(self) -> list[tuple[str, str]]:
        """What a person reads: names in words, and what they chose or typed; of many ticked boxes how many."""
        given: dict[str, list[str]] = {}
        for name, value in self.fields:
            if value and name not in _OF_THE_PAGE:
                given.setdefault(name, []).append(value)
        return [
            (
                name.replace("_", " ").capitalize(),
                ", ".join(values) if len(values) <= _MOST_SHOWN else f"{len(values)} chosen",
            )
            for name, values in given.items()
        ]


def keep(portal: PortalContext, request: Request) -> str | None:
    """Keep what a person sent; returns where it is shown again, None when there is nothing to keep.

    Args:
        portal: the running portal.
        request: what was refused, its body read.
    """
    asker = asker_of(request)
    if asker is None or asker.session is None or asker.session.ended_at or request.method != "POST":
        return None
    try:
        sent = parse_qsl(request.state.body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return None
    if not same_token(dict(sent).get("form_token", ""), asker.form_token):
        return None
    fields = [pair for pair in sent if pair[0] != "form_token"]
    sealed = portal.form_seal.close({"path": request.url.path, "fields": fields})
    with portal.system_transaction() as db:
        token = sessions.keep_form(db, asker.session.id, sealed, portal.clock())
    return f"{AGAIN}?{urlencode({'form': token})}"


@router.get(AGAIN)
def send_again(
    request: Request, portal: Annotated[PortalContext, Depends(portal_of)], admin: PageAdmin, form: FilledText
) -> Response:
    """What was typed, to be looked at and sent once more."""
    account_id, subject = admin.account.id, admin.person.subject
    with portal.transaction(admin.account) as db:
        sealed = sessions.kept_form(db, form, account_id=account_id, subject=subject, now=portal.clock())
    opened = portal.form_seal.open(sealed) if sealed else None
    if opened is None:
        raise NotHereError(
            "What you typed is not kept any more, or belongs to another organisation or person. Nothing was changed."
        )
    kept = KeptForm(opened["path"], [(name, value) for name, value in opened["fields"]])
    return page(request, "send_again.html", kept=kept)
