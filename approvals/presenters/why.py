"""Why a call was paused: the rule that asked for it, clause by clause, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext, ngettext

from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.obligations import Obligations
from approvals.domain.stepup import StepUp
from approvals.domain.verdicts import Effect, Verdict, verdict_from
from approvals.presenters.words import any_of, approvals, figure, span

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
    groups: Mapping[str, str],
    by_grant: bool,
) -> Why:
    """The explanation of a stored verdict; `groups` are names by slug."""
    found = verdict_from(verdict)
    policy = (
        gettext("Policy version {version}").format(version=policy_version)
        if policy_version
        else gettext("No policy published yet")
    )
    rule = (
        gettext(", rule {position}: {rule}").format(position=found.position, rule=found.rule)
        if found.rule
        else ""
    )
    return Why(
        policy=policy + rule,
        sentence=_sentence(found, by_grant=by_grant),
        clauses=tuple(
            ClauseView(
                asked=clause.asked,
                found=inspect(clause.found, identifier_like=True),
                icon="check" if clause.matched else "cross",
                verdict=gettext("matches") if clause.matched else gettext("does not match"),
            )
            for clause in found.clauses
        ),
        so=gettext("It takes: {what_it_takes}.").format(
            what_it_takes=what_it_takes(obligations, groups)
        ),
        passed_over=_passed_over(found),
    )


def what_it_takes(obligations: Obligations, groups: Mapping[str, str]) -> str:
    """Every obligation in one sentence; a group that has no name in `groups` goes by its slug."""
    parts = [_asked(obligations, groups)]
    if obligations.escalate is not None:
        parts.append(
            gettext("{group} is asked as well after {span}").format(
                group=_name(obligations.escalate.to, groups),
                span=span(timedelta(seconds=obligations.escalate.after_seconds)),
            )
        )
    if obligations.reason_required:
        parts.append(gettext("with a reason"))
    if obligations.step_up is StepUp.PASSKEY:
        parts.append(gettext("each signed with a passkey"))
    elif obligations.step_up is StepUp.PASSKEY_OR_TOTP:
        parts.append(gettext("each confirmed with a passkey or a code"))
    if obligations.type_target:
        parts.append(gettext("with the name of its target typed"))
    if obligations.four_eyes:
        parts.append(gettext("not by whoever submitted it"))
    parts.append(
        gettext("within {span}").format(span=span(timedelta(seconds=obligations.approval_seconds)))
    )
    return ", ".join(parts)


def _asked(obligations: Obligations, groups: Mapping[str, str]) -> str:
    """How many approvals, and from whom."""
    if obligations.quorums:
        each = [
            gettext("{approvals} from {groups}").format(
                approvals=approvals(seats.need), groups=_name(seats.group, groups)
            )
            for seats in obligations.quorums
        ]
        return gettext(" and ").join(each) + gettext(", everybody for one group")
    return gettext("{approvals} from {groups}").format(
        approvals=approvals(obligations.quorum), groups=_any_of(obligations.groups, groups)
    )


def _sentence(verdict: Verdict, *, by_grant: bool) -> str:
    if by_grant:
        return gettext("A standing permission covered this call, so nobody was asked again.")
    if verdict.effect is not Effect.REQUIRE_APPROVAL:
        return verdict.explanation
    if verdict.failure:
        return gettext("Policy could not be evaluated ({failure}). Then people are asked.").format(
            failure=verdict.failure
        )
    if verdict.rule is None:
        return gettext("No rule matches this call. Then people are asked.")
    return gettext("Every condition of this rule holds, and it asks people.")


def _passed_over(verdict: Verdict) -> str:
    if not verdict.passed_over:
        return ""
    names = [f"“{name}”" for name in verdict.passed_over[:PASSED_OVER_NAMED]]
    more = len(verdict.passed_over) - len(names)
    if more:
        names.append(gettext("{number} more").format(number=figure(more)))
    return ngettext(
        "Rule before it that did not match: {names}.",
        "Rules before it that did not match: {names}.",
        len(verdict.passed_over),
    ).format(names=", ".join(names))


def _any_of(slugs: tuple[str, ...], groups: Mapping[str, str]) -> str:
    if not slugs:
        return gettext("the team's reviewers")
    return any_of([_name(slug, groups) for slug in slugs])


def _name(slug: str, groups: Mapping[str, str]) -> str:
    return groups.get(slug, slug)
