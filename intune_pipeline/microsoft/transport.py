"""HTTP to Microsoft: pooled connections, the right certificate authority, limits of time and size.

Belongs here: the one session class that MSAL and the Graph client share. Does not belong here: what is asked, what an
answer means, how a body is read (`bodies`).
"""

import contextlib
import io
import logging
import ssl
import time
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError
from urllib3.util.ssl_ import create_urllib3_context

from intune_pipeline.microsoft.bodies import RefusedBodyError, json_of, read_within_limits
from intune_pipeline.microsoft.cloud import MicrosoftCloud

TIMEOUTS = (10.0, 90.0)
"""Seconds to connect, and for a whole answer. Intune has been seen to take 28 s for one page."""

# What goes wrong reaches people as one sentence of `MicrosoftError`; these would add tracebacks and whole bodies.
for _library in ("msal", "urllib3", "requests"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
    logging.getLogger(_library).propagate = False


class Bearer(AuthBase):
    """Sends an access token. A plain header would lose to an entry of ``~/.netrc``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class RefusedAnswerError(requests.RequestException):
    """An answer whose body is not read; the message says why in a few words. Asking again does not help.

    Attributes:
        response: its status and headers.
    """

    response: requests.Response

    def __init__(self, note: str, response: requests.Response) -> None:
        super().__init__(note, response=response)


class MicrosoftSession(requests.Session):
    """A session that trusts the cloud's CA bundle and never waits or reads for ever. Belongs to one thread.

    ``REQUESTS_CA_BUNDLE`` in the environment beats ``Session.verify``, so the bundle is named for every request.

    Attributes:
        last_answer: status, headers and decoded body of the newest answer; MSAL keeps only a part of them.
    """

    def __init__(self, cloud: MicrosoftCloud) -> None:
        super().__init__()
        self._cloud = cloud
        self.mount("https://", _PunctualAdapter())
        self.last_answer: tuple[int, Mapping[str, str], Any] | None = None

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send a request for MSAL, keeping what it says for `last_answer`. A redirect is not followed: it ends at a proxy."""
        self.last_answer = None
        options["allow_redirects"] = False
        options["verify"] = self._cloud.verify
        options.setdefault("timeout", TIMEOUTS)
        response = super().request(method, url, *args, **options)
        self.last_answer = (response.status_code, response.headers, decoded(response.content))
        return response

    def send_verbatim(
        self, url: str, payload: bytes | None, *, headers: Mapping[str, str], token: str, within: float
    ) -> requests.Response:
        """Post a payload, or get. The address goes out as it is: requests would rewrite escapes in a nextLink.

        Args:
            url: the address.
            payload: what to post; None to get.
            headers: what else to send.
            token: the access token.
            within: seconds the answer may take at most; `TIMEOUTS` may be stricter.
        """
        method = "GET" if payload is None else "POST"
        request = requests.Request(method, url, headers=dict(headers), data=payload, auth=Bearer(token))
        prepared = self.prepare_request(request)
        prepared.url = url
        settings = self.merge_environment_settings(url, {}, None, self._cloud.verify, None)
        connect, answer = TIMEOUTS
        timeout = (min(connect, within), min(answer, within))
        return self.send(prepared, timeout=timeout, allow_redirects=False, **settings)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and read its answer within the limits of `bodies`.

        Raises:
            RefusedAnswerError: the answer is beyond them.
        """
        response = super().send(request, **{**options, "stream": True})
        try:
            response.raw = io.BytesIO(read_within_limits(response.raw))
        except RefusedBodyError as error:
            response.close()
            raise RefusedAnswerError(str(error), response) from None
        except ReadTimeoutError as error:
            raise requests.ReadTimeout(error, request=request) from None
        except DecodeError as error:
            raise requests.exceptions.ContentDecodingError(error, request=request) from None
        except HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error, request=request) from None
        return response


class _PunctualSocket(ssl.SSLSocket):
    """A TLS socket whose timeout counts from when it was set, not from the last byte.

    urllib3 sets the timeout once before it reads an answer, so that the whole answer has to arrive within it: one byte
    a minute is not enough to stay.
    """

    _ends_at: float | None = None

    def settimeout(self, value: float | None) -> None:
        self._ends_at = None if value is None else time.monotonic() + value
        super().settimeout(value)

    def recv_into(self, *arguments: Any) -> int:
        if self._ends_at is not None:
            left = self._ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError("The answer took too long.")
            super().settimeout(left)
        return super().recv_into(*arguments)


class _PunctualAdapter(HTTPAdapter):
    """Opens connections with punctual sockets."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: FBT001
        super().init_poolmanager(connections, maxsize, block, ssl_context=_context(), **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=_context(), **options)


def _context() -> ssl.SSLContext:
    context: ssl.SSLContext = create_urllib3_context()
    context.sslsocket_class = _PunctualSocket
    return context


def reason(error: requests.RequestException) -> str:
    """Why there was no answer, in a few words for an operator."""
    if isinstance(error, RefusedAnswerError):
        return str(error)
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
    """The JSON value of Entra's small answers; None when it is not JSON or nested beyond reason."""
    with contextlib.suppress(RefusedBodyError):
        return json_of(content)
    return None
