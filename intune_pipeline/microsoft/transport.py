"""HTTP to Microsoft: pooled connections, the right certificate authority, time limits.

Here: the one session class that MSAL and the Graph client share. Not here: what is asked, what an answer means.
"""

from collections.abc import Mapping
from typing import Any

import orjson
import requests
from requests.auth import AuthBase

from intune_pipeline.microsoft.cloud import MicrosoftCloud

TIMEOUTS = (10.0, 60.0)
"""Seconds to connect, and between two bytes of an answer. Intune has been seen to take 28 s for one page."""


class Bearer(AuthBase):
    """Sends an access token. A plain header would lose to an entry of ``~/.netrc``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class MicrosoftSession(requests.Session):
    """A session that trusts the cloud's CA bundle and never waits for ever. Belongs to one thread.

    ``REQUESTS_CA_BUNDLE`` in the environment beats ``Session.verify``, so the bundle is named for every request.

    Attributes:
        last_answer: status, headers and decoded body of the newest answer; MSAL keeps only a part of them.
    """

    def __init__(self, cloud: MicrosoftCloud) -> None:
        super().__init__()
        self._cloud = cloud
        self.last_answer: tuple[int, Mapping[str, str], Any] | None = None

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send a request for MSAL, keeping what it says for `last_answer`."""
        self.last_answer = None
        options["verify"] = self._cloud.verify
        options.setdefault("timeout", TIMEOUTS)
        response = super().request(method, url, *args, **options)
        self.last_answer = (response.status_code, response.headers, decoded(response.content))
        return response

    def send_verbatim(
        self, url: str, payload: bytes | None, *, headers: Mapping[str, str], token: str
    ) -> requests.Response:
        """Post a payload, or get. The address goes out as it is: requests would rewrite escapes in a nextLink."""
        method = "GET" if payload is None else "POST"
        request = requests.Request(method, url, headers=dict(headers), data=payload, auth=Bearer(token))
        prepared = self.prepare_request(request)
        prepared.url = url
        settings = self.merge_environment_settings(url, {}, None, self._cloud.verify, None)
        return self.send(prepared, timeout=TIMEOUTS, allow_redirects=False, **settings)


def reason(error: requests.RequestException) -> str:
    """Why there was no answer, in a few words for an operator."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "the server's certificate is not trusted, see MICROSOFT_CA_BUNDLE"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy gave no connection"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "a body that breaks off"
    return "no connection"


def decoded(content: bytes) -> Any:
    """The JSON value of a body, None when it is not JSON."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
