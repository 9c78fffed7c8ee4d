"""Whether our clock agrees with Microsoft's: a signed assertion from the wrong time is refused.

Here: the comparison. Not here: what is too much (``doctor``).
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import MicrosoftCloud
from intune_pipeline.microsoft.consent import ANY_ORGANISATION
from intune_pipeline.microsoft.transport import MicrosoftSession


def clock_skew(cloud: MicrosoftCloud) -> timedelta:
    """How far our clock is ahead of Entra's, to the second; negative when behind.

    Raises:
        MicrosoftError: Entra was not reached, or its answer has no date.
    """
    with MicrosoftSession(cloud) as session:
        try:
            response = session.get(f"{cloud.login_url}/{ANY_ORGANISATION}/v2.0/.well-known/openid-configuration")
            theirs = parsedate_to_datetime(response.headers["Date"])
        except (requests.RequestException, KeyError, ValueError):
            raise MicrosoftError(Cause.OUTAGE, tenant_id=ANY_ORGANISATION, note="Entra was not reached") from None
    return datetime.now(UTC) - theirs.replace(tzinfo=theirs.tzinfo or UTC)
