"""What policy answers: an effect, its obligations, and why, clause by clause.

Knows nothing of how a rule is written or stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from approvals.domain.canonical import JSON
from approvals.domain.obligations import DEFAULT_OBLIGATIONS, Obligations, obligations_from


class Effect(StrEnum):
    """What happens to a call."""

    ALLOW = "allow"  # forwarded at once, recorded as a call
    DENY = "deny"  # refused at once, recorded as a call
    REQUIRE_APPROVAL = "require_approval"  # paused, becomes a ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One condition of the deciding rule: what it asked for, what was found, whether it held."""

    asked: str
    found: str
    matched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one call. `rule` and `position` (from 1) are None when no rule matched.

    `obligations` bind only where the effect is require_approval. `failure` is set when policy
    could not be evaluated: then a human is asked.
    """

    effect: Effect
    obligations: Obligations = DEFAULT_OBLIGATIONS
    rule: str | None = None
    position: int | None = None
    clauses: tuple[Clause, ...] = ()
    passed_over: tuple[str, ...] = ()
    failure: str = ""

    @property
    def explanation(self) -> str:
        """One sentence for a log line or a heading."""
        if self.failure:
            return f"Policy could not be evaluated ({self.failure}), so people are asked."
        if self.rule is None:
            return "No rule matches this call, so people are asked."
        verb = {
            Effect.ALLOW: "allows this call",
            Effect.DENY: "denies this call",
            Effect.REQUIRE_APPROVAL: "asks people about this call",
        }[self.effect]
        return f"Rule {self.position}, “{self.rule}”, {verb}."

    def to_dict(self) -> dict[str, JSON]:
        """The stored form; `verdict_from` reads it back."""
        return {
            "effect": self.effect.value,
            "obligations": self.obligations.to_dict(),
            "rule": self.rule,
            "position": self.position,
            "clauses": [
                {"asked": clause.asked, "found": clause.found, "matched": clause.matched}
                for clause in self.clauses
            ],
            "passed_over": list[JSON](self.passed_over),
            "failure": self.failure,
        }


def policy_failed(reason: str, obligations: Obligations = DEFAULT_OBLIGATIONS) -> Verdict:
    """The verdict when policy cannot be read or evaluated: ask a human."""
    return Verdict(effect=Effect.REQUIRE_APPROVAL, obligations=obligations, failure=reason)


def verdict_from(stored: dict[str, JSON]) -> Verdict:
    """A verdict as `Verdict.to_dict` stored it; raises KeyError, TypeError or ValueError."""
    rule, position, failure = stored["rule"], stored["position"], stored["failure"]
    if not (rule is None or isinstance(rule, str)) or not isinstance(failure, str):
        raise TypeError("a stored verdict's rule and failure are strings")
    if not (position is None or type(position) is int):
        raise TypeError("a stored verdict's position is a whole number")
    return Verdict(
        effect=Effect(str(stored["effect"])),
        obligations=obligations_from(stored["obligations"]),
        rule=rule,
        position=position,
        clauses=tuple(_clause(item) for item in _list(stored["clauses"])),
        passed_over=tuple(str(name) for name in _list(stored["passed_over"])),
        failure=failure,
    )


def _list(value: JSON) -> list[JSON]:
    if not isinstance(value, list):
        raise TypeError("a stored verdict's clauses and passed_over are lists")
    return value


def _clause(value: JSON) -> Clause:
    if not isinstance(value, dict):
        raise TypeError("a stored clause is a mapping")
    return Clause(
        asked=str(value["asked"]), found=str(value["found"]), matched=value["matched"] is True
    )
