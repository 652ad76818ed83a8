"""Rules that ask people for what too few of them have: passkeys, or authenticator apps.

A warning and never a refusal: people add passkeys when a rule asks for them, and not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.domain import policy as rules
from approvals.domain.errors import PolicyInvalid
from approvals.domain.obligations import Obligations
from approvals.domain.stepup import StepUp
from approvals.domain.verdicts import Effect
from approvals.services.credentials import PASSKEY, TOTP, people_with
from approvals.services.policies import asked_groups, members_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Unready:
    """`have` of the `need` people of these groups could give what the rule asks of them."""

    rule: str  # its name; empty where no rule matches
    groups: tuple[str, ...]
    have: int
    need: int
    only_passkeys: bool

    def __str__(self) -> str:
        rule = f"rule {self.rule!r}" if self.rule else "the defaults"
        what = "a passkey" if self.only_passkeys else "a passkey or an authenticator app"
        return (
            f"{rule} asks {self.need} of {' and '.join(self.groups)} for {what},"
            f" but only {self.have} of them have one: they can reject, but not approve"
        )


def unready_rules(
    document: Mapping[str, Any], *, upstream: str | None = None
) -> tuple[Unready, ...]:
    """Where `document` asks more people for a factor than have one; unreadable ones say nothing.

    With `upstream`, only rules that can match a call of that upstream are looked at.
    """
    try:
        parsed = rules.parse_policy(dict(document))
    except PolicyInvalid:
        return ()
    asking = [
        (rule.name, rule.obligations)
        for rule in parsed.rules
        if rule.effect is Effect.REQUIRE_APPROVAL
        and (upstream is None or rules.glob_matches(rule.upstream, upstream))
    ]
    found: list[Unready] = []
    for name, obligations in [*asking, ("", parsed.defaults)]:
        if obligations.step_up is not StepUp.NONE:
            found += _unready(name, obligations)
    return tuple(found)


def _unready(rule: str, obligations: Obligations) -> list[Unready]:
    found = []
    only_passkeys = obligations.step_up is StepUp.PASSKEY
    for slugs in asked_groups(obligations):
        people = members_of(slugs)
        able = people_with(PASSKEY, people)
        if not only_passkeys:
            able |= people_with(TOTP, people)
        if len(able) < obligations.quorum:
            found.append(
                Unready(
                    rule=rule,
                    groups=slugs,
                    have=len(able),
                    need=obligations.quorum,
                    only_passkeys=only_passkeys,
                )
            )
    return found
