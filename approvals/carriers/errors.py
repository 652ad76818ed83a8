"""What may go wrong on the way; messages are shown to people and never hold a secret."""

from __future__ import annotations

from typing import Final

MAX_WHY: Final = 200


class CarrierError(Exception):
    """The message was not taken. Trying again may help."""

    def __init__(self, why: str, detail: str = "") -> None:
        said = f"{why} ({detail})" if detail else why
        self.why = said if len(said) <= MAX_WHY else said[:MAX_WHY]
        super().__init__(self.why)


class Refused(CarrierError):
    """The message was not taken, and the same one will not be."""


class Gone(Refused):
    """Nobody lives at the address any more."""
