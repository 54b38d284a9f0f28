"""What a service refuses, with the HTTP status that says so. The message is for whoever sent the request."""

from collections.abc import Mapping

from fortydays.base.errors import FortydaysError, Problem, UnreadableContentError

NOT_THERE = "There is no such page."
_STATUS = {Problem.UNKNOWN: 415, Problem.TOO_LARGE: 413, Problem.DAMAGED: 422}


class RequestError(FortydaysError):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: what happened and what was expected; names no file or code of the service.
        headers: of the answer.
        closes: whether the connection ends with it.
    """

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None, closes: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.closes = closes or status in (408, 413)  # what is left of the body is not waited for


def refused(error: UnreadableContentError) -> RequestError:
    """The error for a request with content that gives no arrays."""
    return RequestError(_STATUS[error.problem], error.message)


def busy(message: str, *, closes: bool = False) -> RequestError:
    """The error for a request that is right and comes at a bad time."""
    return RequestError(503, message, headers={"retry-after": "1"}, closes=closes)
