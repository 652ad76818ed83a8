"""What people choose for themselves."""

from __future__ import annotations

from approvals.domain.errors.base import Refusal


class LocalityUnknown(Refusal):
    """Choose one of the languages and time zones of the list."""

    kind = "invalid"


class ChannelRefused(Refusal):
    """This cannot be a way to tell anybody."""

    kind = "invalid"
