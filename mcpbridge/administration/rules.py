"""Allow, ask or deny, tool by tool: what is in force for a tool, and a policy with other choices.

Works on plain policy documents and never publishes by itself. A choice becomes a rule with the
tool's exact name, placed directly before the rule that would otherwise have decided, so that no
other tool is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from mcpbridge.administration.errors import Moved, Refused
from mcpbridge.approvals_gateway import (
    CallFacts,
    Effect,
    Obligations,
    PolicyMoved,
    Refusal,
    Verdict,
    current_policy,
    explain,
    publish_policy,
    say,
)

ANY: Final = "*"
SPECIAL: Final = frozenset("*?[]")
MAX_RULE_NAME: Final = 100
# Matched only by rules for every agent: no agent has the empty name.
NO_AGENT: Final = ""
MOVED: Final = say(
    "the policy was changed by somebody else since this page was made; nothing was saved"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an admin wants for one tool; `obligations` only where people are to be asked."""

    effect: Effect
    obligations: Obligations | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What a policy says about a tool for agents in general, and for which agents otherwise."""

    effect: Effect
    obligations: Obligations
    rule: str | None
    position: int | None
    exceptions: tuple[str, ...]  # earlier rules that speak of some agents only


def in_force(document: Mapping[str, Any], *, upstream: str, tool: str) -> InForce:
    """What `document` says about a tool, without regard to arguments."""
    verdict = _general(document, upstream, tool)
    rules = list(document.get("rules", []))
    until = len(rules) if verdict.position is None else verdict.position - 1
    return InForce(
        effect=verdict.effect,
        obligations=verdict.obligations,
        rule=verdict.rule,
        position=verdict.position,
        exceptions=tuple(
            str(rule["name"]) for rule in rules[:until] if _speaks_of(rule, upstream, tool)
        ),
    )


def with_choices(
    document: Mapping[str, Any], *, upstream: str, choices: Mapping[str, Choice]
) -> dict[str, Any]:
    """A document in which each tool named in `choices` gets what was chosen for it."""
    rules = [dict(rule) for rule in document.get("rules", [])]
    changed: dict[str, Any] = {**document, "rules": rules}
    for tool, choice in choices.items():
        if SPECIAL & set(tool):
            raise Refused(
                say(
                    "{tool} has a character that is special in rules;"
                    " write a rule for it in a file",
                    tool=tool,
                ),
                field=tool,
            )
        verdict = _general(changed, upstream, tool)
        at = len(rules) if verdict.position is None else verdict.position - 1
        rule = _rule(upstream, tool, choice)
        if at < len(rules) and _is_own(rules[at], upstream, tool):
            rules[at] = {**rule, "name": rules[at]["name"]}
        else:
            taken = {str(other["name"]) for other in rules}
            rules.insert(at, {**rule, "name": _free_name(f"{upstream}.{tool}", taken)})
    return changed


def publish_choices(
    *,
    upstream: str,
    choices: Mapping[str, Choice],
    made_against: int | None,
    person_id: UUID | None,
) -> int:
    """Publish the policy in force with these choices; returns its version. Joins.

    Raises Moved when another version came into force since `made_against`, and Refused for what
    the ledger does not accept (an unknown group, a quorum nobody can reach).
    """
    version, document = current_policy()
    if version != made_against:
        raise Moved(MOVED)
    wanted = with_choices(document, upstream=upstream, choices=choices)
    try:
        return publish_policy(
            document=wanted,
            by_person_id=person_id,
            note=f"tools of {upstream}",
            made_against=version,
        )
    except PolicyMoved as moved:
        raise Moved(MOVED) from moved
    except Refusal as refusal:
        raise Refused(str(refusal)) from refusal


def _general(document: Mapping[str, Any], upstream: str, tool: str) -> Verdict:
    facts = CallFacts(upstream=upstream, tool=tool, agent=NO_AGENT)
    return explain(document=dict(document), facts=facts)


def _speaks_of(rule: Mapping[str, Any], upstream: str, tool: str) -> bool:
    """Whether a rule would match this tool for some agents only."""
    if rule.get("agent", ANY) == ANY:
        return False
    alone = {"rules": [{**rule, "agent": ANY}]}
    return _general(alone, upstream, tool).rule is not None


def _is_own(rule: Mapping[str, Any], upstream: str, tool: str) -> bool:
    return (rule.get("upstream"), rule.get("tool"), rule.get("agent", ANY)) == (upstream, tool, ANY)


def _rule(upstream: str, tool: str, choice: Choice) -> dict[str, Any]:
    rule: dict[str, Any] = {"upstream": upstream, "tool": tool, "effect": choice.effect.value}
    if choice.effect is Effect.REQUIRE_APPROVAL and choice.obligations is not None:
        rule["obligations"] = choice.obligations.to_dict()
    return rule


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted[: MAX_RULE_NAME - 5], 2
    free = name
    while free in taken:
        free = f"{name} ({number})"
        number += 1
    return free
