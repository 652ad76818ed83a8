"""A coarse mark of how carefully to look at a call: high, medium or low.

It sorts an inbox and picks a word; it never decides anything. An upstream's own annotations can
raise the mark of a call, and lower it only where an admin trusts that upstream. Silence is not
safety: a tool that says nothing of itself is medium.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from approvals.domain.inspection.characters import Kind
from approvals.domain.inspection.findings import Finding
from approvals.domain.obligations import Obligations


class Level(StrEnum):
    """How carefully to look."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A level, and every reason for it in words."""

    level: Level
    reasons: tuple[str, ...]


# Characters that are there to mislead; an unusual space or a private-use sign may be innocent.
_MISLEADING = frozenset(
    {
        Kind.BIDI,
        Kind.INVISIBLE,
        Kind.TAG,
        Kind.CONTROL,
        Kind.SURROGATE,
        Kind.MIXED_SCRIPT,
        Kind.CONFUSABLE,
    }
)


def risk_of(
    *,
    annotations: Mapping[str, object] | None,
    annotations_trusted: bool,
    findings: Iterable[Finding],
    obligations: Obligations,
) -> Risk:
    """The mark of a call.

    High: the tool calls itself destructive, the arguments hold characters that mislead, or the
    rule asks for several people or four eyes. Low: a trusted upstream calls the tool read-only,
    and nothing else speaks against it. Medium: everything else.
    """
    told = annotations or {}
    read_only = told.get("readOnlyHint") is True
    high: list[str] = []
    if told.get("destructiveHint") is True and not read_only:
        high.append("The tool calls itself destructive.")
    high += [f.words for f in findings if f.kind in _MISLEADING]
    if obligations.quorum > 1:
        high.append(f"The rule asks for {obligations.quorum} people.")
    if obligations.four_eyes:
        high.append("The rule asks for a second pair of eyes.")
    if high:
        return Risk(level=Level.HIGH, reasons=tuple(high))
    if read_only and annotations_trusted:
        return Risk(
            level=Level.LOW,
            reasons=("The tool calls itself read-only, and an admin trusts its server's word.",),
        )
    if read_only:
        words = "The tool calls itself read-only, but nobody vouches for its server's word."
    else:
        words = "The tool does not call itself read-only."
    return Risk(level=Level.MEDIUM, reasons=(words,))
