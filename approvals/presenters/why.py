"""Why a call was paused: the rule that asked for it, clause by clause, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.obligations import Obligations
from approvals.domain.verdicts import Effect, Verdict, verdict_from
from approvals.presenters.words import count, span

PASSED_OVER_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseView:
    """One condition of the rule, what was found, and whether it held."""

    asked: str
    found: InspectedText
    icon: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The explanation as it is read."""

    policy: str
    sentence: str
    clauses: tuple[ClauseView, ...]
    so: str
    passed_over: str


def present_why(
    *,
    verdict: dict[str, Any],
    policy_version: int | None,
    obligations: Obligations,
    groups: Sequence[str],
    by_grant: bool,
) -> Why:
    """The explanation of a stored verdict."""
    found = verdict_from(verdict)
    version = f"Policy version {policy_version}" if policy_version else "No policy published yet"
    rule = f", rule {found.position}: {found.rule}" if found.rule else ""
    return Why(
        policy=version + rule,
        sentence=_sentence(found, by_grant=by_grant),
        clauses=tuple(
            ClauseView(
                asked=clause.asked,
                found=inspect(clause.found, identifier_like=True),
                icon="check" if clause.matched else "cross",
                verdict="matches" if clause.matched else "does not match",
            )
            for clause in found.clauses
        ),
        so=f"So: {what_it_takes(obligations, groups)}.",
        passed_over=_passed_over(found),
    )


def what_it_takes(obligations: Obligations, groups: Sequence[str]) -> str:
    """Every obligation in one sentence."""
    asked = f"{count(obligations.quorum, 'approval')} from {_names(groups)}"
    parts = [asked]
    if obligations.reason_required:
        parts.append("with a reason")
    if obligations.four_eyes:
        parts.append("not by whoever submitted it")
    parts.append(f"within {span(timedelta(seconds=obligations.approval_seconds))}")
    return ", ".join(parts)


def _sentence(verdict: Verdict, *, by_grant: bool) -> str:
    if by_grant:
        return "A standing permission covered this call, so nobody was asked again."
    if verdict.effect is not Effect.REQUIRE_APPROVAL:
        return verdict.explanation
    if verdict.failure:
        return f"Policy could not be evaluated ({verdict.failure}). Then people are asked."
    if verdict.rule is None:
        return "No rule matches this call. Then people are asked."
    return "Every condition of this rule holds, and it asks people."


def _passed_over(verdict: Verdict) -> str:
    if not verdict.passed_over:
        return ""
    names = [f"“{name}”" for name in verdict.passed_over[:PASSED_OVER_NAMED]]
    more = len(verdict.passed_over) - len(names)
    if more:
        names.append(f"{more} more")
    noun = "Rule" if len(verdict.passed_over) == 1 else "Rules"
    return f"{noun} before it that did not match: {', '.join(names)}."


def _names(groups: Sequence[str]) -> str:
    return " or ".join(groups) if groups else "the team's reviewers"
