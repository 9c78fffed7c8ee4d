"""Whether Microsoft can be worked with right now, step by step: for ``doctor``.

Belongs here: the steps for one tenant, and whether our clock agrees with Microsoft's. Does not belong here: how they are
shown, how much skew is too much.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

from intune_pipeline.microsoft.bodies import WEB_PAGE
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.error_answers import cause_of_token_answer, entra_code, entra_request_id
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.microsoft.tokens import REQUIRED_ROLE
from intune_pipeline.microsoft.transport import MicrosoftSession, decoded, reason

_PATIENCE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried.

    Attributes:
        name: what, in a word or two.
        passed: whether it works.
        sentence: what was found, or what to do.
    """

    name: str
    passed: bool
    sentence: str


def check_tenant(cloud: MicrosoftCloud, credential: Credential, tenant_id: str) -> Iterator[Step]:
    """Try the tenant's authority, a token, the role in it and one Graph call; the first step that fails is the last."""
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    with GraphClient(cloud, credential, tenant_id, deadline=deadline, give_up_after=_PATIENCE / 2) as client:
        attempts: tuple[tuple[str, Callable[[], object], str], ...] = (
            ("authority", lambda: _discovery(cloud, tenant_id), f"{cloud.login_url} knows tenant {tenant_id}."),
            ("token", client.tokens.token, "Microsoft Entra accepts our credential for this tenant."),
            ("role", client.tokens.require_role, f"The token holds {REQUIRED_ROLE}."),
            ("Graph", client.probe, f"{cloud.graph_url} lists devices of this tenant."),
        )
        for name, attempt, found in attempts:
            try:
                attempt()
            except MicrosoftError as error:
                yield Step(name, passed=False, sentence=str(error))
                return
            yield Step(name, passed=True, sentence=found)


def clock_skew(cloud: MicrosoftCloud) -> timedelta:
    """How far our clock is ahead of Entra's, to the second; negative when behind. A skewed clock spoils signatures.

    Raises:
        MicrosoftError: Entra was not reached, or its answer has no date.
    """
    date = _discovery(cloud, "organizations").headers.get("Date", "")
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        raise MicrosoftError(Cause.UNEXPECTED, tenant_id="organizations", note="an answer without a date") from None
    return datetime.now(UTC) - theirs.replace(tzinfo=theirs.tzinfo or UTC)


def _discovery(cloud: MicrosoftCloud, tenant: str) -> requests.Response:
    """What Entra publishes about a tenant, which needs no credential."""
    with MicrosoftSession(cloud) as session:
        try:
            response = session.get(f"{cloud.login_url}/{tenant}/v2.0/.well-known/openid-configuration")
        except requests.RequestException as error:
            note = f"{cloud.login_url}: {reason(error)}"
            raise MicrosoftError(Cause.OUTAGE, tenant_id=tenant, note=note) from None
    body = decoded(response.content)
    if not response.ok or not isinstance(body, dict):
        raise MicrosoftError(
            cause_of_token_answer(response.status_code, body),
            tenant_id=tenant,
            status=response.status_code,
            code=entra_code(body),
            request_id=entra_request_id(response.headers, body),
            note="" if isinstance(body, dict) else f"{cloud.login_url}: {WEB_PAGE}",
        )
    return response
