"""What every refusal has in common.

A refusal's docstring is its message; `code` is stable and meant for programs; `kind` says what
sort of refusal it is, so that any face can render it without a list of classes. Knows neither
HTTP nor MCP.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from approvals.domain.wording import say

type Kind = Literal["conflict", "forbidden", "invalid", "unavailable", "broken"]


class Refusal(Exception):
    """The request was refused."""

    kind: ClassVar[Kind] = "conflict"
    code: ClassVar[str] = "refusal"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        if not cls.__doc__:
            raise TypeError(f"{cls.__name__} needs a docstring: it is the message people read")

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or say(" ".join((type(self).__doc__ or "").split()))
        self.details = details
        super().__init__(self.message)
