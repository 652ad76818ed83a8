"""What the admin's services refuse, in words for the admin."""

from __future__ import annotations


class Refused(Exception):
    """A change that cannot be made; `field` names the input that was wrong, if one was."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Moved(Refused):
    """What the admin looked at has changed meanwhile; nothing was done."""
