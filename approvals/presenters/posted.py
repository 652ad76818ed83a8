"""What a refused form about a ticket carried, for the page that shows it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from approvals.domain.errors import Refusal
from approvals.presenters.words import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a form carried that was refused, so that nothing typed is lost."""

    reason: str = ""
    evidence: str = ""
    ran: str = ""
    typed: Mapping[str, Sequence[str]] | None = None  # by the field that was asked for
    words: str = ""  # a comment, a question, an answer, or what goes with a ticket handed on
    form: str = ""  # which of those forms it was; empty for the decision itself
    refusal: Refusal | None = None

    def says(self, *codes: str) -> str:
        """The refusal's message, if it is one of these."""
        return told(self.refusal.message) if self.refusal and self.refusal.code in codes else ""
