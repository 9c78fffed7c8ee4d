"""What the portal refuses, each with its HTTP status, a title and one sentence that says what to do.

Belongs here: the errors and nothing else. How they look is decided in ``app`` (a page, or problem+json under ``/api``).
"""

from http import HTTPStatus

from intune_pipeline.errors import PipelineError


class PortalError(PipelineError):
    """Something was refused.

    Attributes:
        status: the HTTP status.
        title: a few words.
        sentence: what happened and what to do.
    """

    status = HTTPStatus.BAD_REQUEST
    title = "That did not work"

    def __init__(self, sentence: str, *, title: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        if title:
            self.title = title


class SignInNeededError(PortalError):
    """Nobody is signed in, or the bearer token is missing or not good."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"


class RefusedError(PortalError):
    """The person is known and may not do this."""

    status = HTTPStatus.FORBIDDEN
    title = "You cannot do this"


class NotHereError(PortalError):
    """This account has no such thing."""

    status = HTTPStatus.NOT_FOUND
    title = "Not found"


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

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class SignInProviderError(PortalError):
    """The sign-in provider did not answer, or answered something that is not to be trusted."""

    status = HTTPStatus.BAD_GATEWAY
    title = "Sign-in did not work"
