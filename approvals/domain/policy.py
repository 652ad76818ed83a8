"""Ordered rules over calls: reading a policy, and judging one call by it.

A rule matches by globs over exact names and nothing else yet; conditions over arguments,
annotations or time become further keys. A key this version does not know is refused, so that
an older Placet never reads a newer rule as a wider one. Knows neither rows nor versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from approvals.domain.canonical import JSON
from approvals.domain.errors import PolicyInvalid
from approvals.domain.obligations import DEFAULT_OBLIGATIONS, Obligations, obligations_from
from approvals.domain.plain import describe, mapping, refuse_unknown
from approvals.domain.verdicts import Clause, Effect, Verdict

MAX_RULES: Final = 1000
MAX_PATTERN: Final = 200
MAX_RULE_NAME: Final = 100
ANY: Final = "*"

_DOCUMENT_KEYS: Final = frozenset({"rules", "defaults"})
_RULE_KEYS: Final = frozenset({"name", "upstream", "tool", "agent", "effect", "obligations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What a rule can ask about: exact names, the tool's as its upstream spells it."""

    upstream: str
    tool: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a policy. Patterns are globs: `*` any run, `?` one character."""

    name: str
    effect: Effect
    upstream: str = ANY
    tool: str = ANY
    agent: str = ANY
    obligations: Obligations = DEFAULT_OBLIGATIONS

    def to_dict(self) -> dict[str, JSON]:
        """The form `parse_policy` reads."""
        plain: dict[str, JSON] = {
            "name": self.name,
            "upstream": self.upstream,
            "tool": self.tool,
            "agent": self.agent,
            "effect": self.effect.value,
        }
        if self.effect is Effect.REQUIRE_APPROVAL:
            plain["obligations"] = self.obligations.to_dict()
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """Rules in order; the first that matches decides, and `defaults` bind where none does."""

    rules: tuple[Rule, ...] = ()
    defaults: Obligations = DEFAULT_OBLIGATIONS

    def to_dict(self) -> dict[str, JSON]:
        """The form `parse_policy` reads; stored with each published version."""
        return {
            "defaults": self.defaults.to_dict(),
            "rules": [rule.to_dict() for rule in self.rules],
        }


def parse_policy(document: object) -> PolicyDocument:
    """A policy from plain data; raises PolicyInvalid naming the path that is wrong."""
    found = mapping(document, "policy")
    refuse_unknown(found, _DOCUMENT_KEYS, "policy")
    defaults = obligations_from(found.get("defaults", {}), path="defaults")
    rows = found.get("rules", [])
    if not isinstance(rows, list):
        raise PolicyInvalid(f"rules must be a list, not {describe(rows)}", path="rules")
    if len(rows) > MAX_RULES:
        raise PolicyInvalid(f"rules has {len(rows)} rules; at most {MAX_RULES}", path="rules")
    rules: list[Rule] = []
    names: dict[str, int] = {}
    for index, row in enumerate(rows):
        rule = _rule(row, f"rules[{index}]", defaults)
        if rule.name in names:
            path = f"rules[{index}].name"
            raise PolicyInvalid(
                f"{path} {rule.name!r} is also the name of rules[{names[rule.name]}]", path=path
            )
        names[rule.name] = index
        rules.append(rule)
    return PolicyDocument(rules=tuple(rules), defaults=defaults)


def judge(document: PolicyDocument, facts: CallFacts) -> Verdict:
    """The first matching rule's verdict; no match asks people with the defaults."""
    passed_over: list[str] = []
    for position, rule in enumerate(document.rules, start=1):
        clauses = _clauses(rule, facts)
        if all(clause.matched for clause in clauses):
            asks = rule.effect is Effect.REQUIRE_APPROVAL
            return Verdict(
                effect=rule.effect,
                obligations=rule.obligations if asks else document.defaults,
                rule=rule.name,
                position=position,
                clauses=clauses,
                passed_over=tuple(passed_over),
            )
        passed_over.append(rule.name)
    return Verdict(
        effect=Effect.REQUIRE_APPROVAL,
        obligations=document.defaults,
        passed_over=tuple(passed_over),
    )


def glob_matches(pattern: str, name: str) -> bool:
    """Whether the whole of `name` matches, case and all; in at most the product of both lengths.

    Only `*` and `?` are special. The last `*` alone is retried, which is enough for globs, so
    that no pattern takes exponential time.
    """
    at = here = 0
    star, resume = -1, 0
    while here < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", name[here]):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(character == "*" for character in pattern[at:])


def _clauses(rule: Rule, facts: CallFacts) -> tuple[Clause, ...]:
    asked = (
        ("upstream", rule.upstream, facts.upstream),
        ("tool", rule.tool, facts.tool),
        ("agent", rule.agent, facts.agent),
    )
    return tuple(
        Clause(
            asked=_wording(noun, pattern),
            found=name,
            matched=pattern == ANY or glob_matches(pattern, name),
        )
        for noun, pattern, name in asked
    )


def _wording(noun: str, pattern: str) -> str:
    if pattern == ANY:
        return f"any {noun}"
    return f"{noun} {'matches' if '*' in pattern or '?' in pattern else 'is'} {pattern}"


def _rule(value: object, path: str, defaults: Obligations) -> Rule:
    found = mapping(value, path)
    refuse_unknown(found, _RULE_KEYS, path)
    name = found.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_RULE_NAME:
        raise PolicyInvalid(
            f"{path}.name must be 1..{MAX_RULE_NAME} characters, not {describe(name)}",
            path=f"{path}.name",
        )
    effect = _effect(found.get("effect"), f"{path}.effect")
    obligations = defaults
    if "obligations" in found:
        if effect is not Effect.REQUIRE_APPROVAL:
            raise PolicyInvalid(
                f"{path}.obligations belongs to the effect require_approval, not {effect.value}",
                path=f"{path}.obligations",
            )
        obligations = obligations_from(
            found["obligations"], path=f"{path}.obligations", defaults=defaults
        )
    return Rule(
        name=name,
        effect=effect,
        upstream=_pattern(found.get("upstream", ANY), f"{path}.upstream"),
        tool=_pattern(found.get("tool", ANY), f"{path}.tool"),
        agent=_pattern(found.get("agent", ANY), f"{path}.agent"),
        obligations=obligations,
    )


def _effect(value: object, path: str) -> Effect:
    for effect in Effect:
        if isinstance(value, str) and value == effect.value:
            return effect
    expected = ", ".join(effect.value for effect in Effect)
    raise PolicyInvalid(f"{path} must be one of {expected}, not {describe(value)}", path=path)


def _pattern(value: object, path: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_PATTERN:
        raise PolicyInvalid(
            f"{path} must be a glob of 1..{MAX_PATTERN} characters, not {describe(value)}",
            path=path,
        )
    if "[" in value or "]" in value:
        raise PolicyInvalid(
            f"{path} has a bracket; only * and ? are special in {describe(value)}", path=path
        )
    return value
