"""What a service refuses, with the HTTP status that says so. The message is for whoever sent the request."""

from fortydays.base.errors import FortydaysError


class RequestError(FortydaysError):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: what happened and what was expected; names no file or code of the service.
        retry_after: seconds after which to come again, or 0.
    """

    def __init__(self, status: int, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def busy(message: str) -> RequestError:
    """The error for a request that is right and comes at a bad time."""
    return RequestError(503, message, retry_after=1)
