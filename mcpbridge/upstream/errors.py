"""What can go wrong on the road out, named by what is *known* about the call.

The difference between `NothingSent` and `OutcomeUnknown` decides whether a ticket reads "failed"
or "outcome unknown", so code that raises `NothingSent` must be certain.
"""

from __future__ import annotations

from enum import StrEnum


class Unknown(StrEnum):
    """Why it is not known what an upstream did with a call it may have received."""

    TIMEOUT = "timeout"
    EOF = "eof"
    MALFORMED = "malformed"
    OVERSIZE = "oversize"
    ABORTED = "aborted"
    WRONG_ID = "wrong_id"


class UpstreamError(Exception):
    """The road out failed."""


class UpstreamUnavailable(UpstreamError):
    """No session with the upstream could be had; nothing of any call was sent.

    `retry_after` says in how many seconds another attempt will really be made.
    """

    def __init__(self, detail: str, *, retry_after: float = 0.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class NothingSent(UpstreamError):
    """The call failed before its first byte left: it certainly did not run."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class OutcomeUnknown(UpstreamError):
    """Bytes of the call left, and no well-formed answer to it came back."""

    def __init__(self, reason: Unknown, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class RequestFailed(UpstreamError):
    """A request without side effects (a listing) got no usable answer."""
