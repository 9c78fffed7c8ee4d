"""What the portal refuses, each with its HTTP status, a title and one sentence that says what to do.

Belongs here: the errors and nothing else. How they look is decided in ``app`` (a page, or problem+json under ``/api``), which
also writes those of them that are a security event to the security log.
"""

from http import HTTPStatus

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.errors import PipelineError


class PortalError(PipelineError):
    """Something was refused.

    Attributes:
        status: the HTTP status.
        title: a few words.
        sentence: what happened and what to do.
        event: what the security log calls it; None: nothing for that log.
        cause: why, for the security log; a few words that name no person.
    """

    status = HTTPStatus.BAD_REQUEST
    title = "That did not work"
    event: SecurityEvent | None = None
    cause = ""

    def __init__(
        self, sentence: str, *, title: str | None = None, event: SecurityEvent | None = None, cause: str = ""
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.title = title or self.title
        self.event = event or self.event
        self.cause = cause or self.cause


class SignInNeededError(PortalError):
    """Nobody is signed in, or the bearer token is missing or not good."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"


class SessionEndedError(SignInNeededError):
    """There was a sign-in, and it has ended."""

    title = "Your sign-in has ended"


class RecentSignInNeededError(SignInNeededError):
    """The sign-in is too old for this."""

    title = "Sign in again to do this"


class RefusedError(PortalError):
    """The person is known and may not do this."""

    status = HTTPStatus.FORBIDDEN
    title = "You cannot do this"
    event = SecurityEvent.ROLE_REFUSED


class FormRefusedError(PortalError):
    """The form does not belong to this sign-in."""

    status = HTTPStatus.FORBIDDEN
    title = "Form out of date"
    event = SecurityEvent.FORM_REFUSED


class NotHereError(PortalError):
    """This account has no such thing."""

    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class GoneError(PortalError):
    """It was here and will not come back."""

    status = HTTPStatus.GONE
    title = "No longer here"


class ConflictError(PortalError):
    """It cannot be done in the present state."""

    status = HTTPStatus.CONFLICT
    title = "Not possible now"


class TooOftenError(PortalError):
    """Asked too often.

    Attributes:
        retry_after: seconds until it is possible again.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too often"
    event = SecurityEvent.LIMIT_HIT

    def __init__(self, sentence: str, retry_after: int, *, cause: str = "") -> None:
        super().__init__(sentence, cause=cause)
        self.retry_after = retry_after


class SizeError(PortalError):
    """The request is larger or slower than any of ours.

    Args:
        status: 408, 413 or 431.
        sentence: what is too much, and what is allowed.
    """

    title = "Too much"
    event = SecurityEvent.REQUEST_REFUSED

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence, cause=status.phrase)
        self.status = status


class SignInProviderError(PortalError):
    """The sign-in provider did not answer, or answered something that is not to be trusted."""

    status = HTTPStatus.BAD_GATEWAY
    title = "Sign-in did not work"
