"""What an admin chose on the page of an upstream's tools, read from the posted form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext

from mcpbridge.administration import Choice, InForce, Refused, in_force
from mcpbridge.approvals_gateway import Effect, Escalation, Obligations, Seats, StepUp

MAX_MINUTES = 30 * 24 * 60
SEVERAL = "+"  # in place of a group: keep the several that are in force


def changed_choices(
    posted: Any, document: Mapping[str, Any], *, upstream: str, pins: Iterable[tuple[str, str]]
) -> dict[str, Choice]:
    """The tools whose posted choice differs from what is in force; `pins` are (id, name).

    Raises Refused naming the tool whose fields cannot be read.
    """
    choices: dict[str, Choice] = {}
    for pin_id, tool in pins:
        wanted = posted.get(f"effect-{pin_id}")
        if wanted is None:
            continue
        current = in_force(document, upstream=upstream, tool=tool)
        choice = _choice(posted, pin_id, tool, wanted, current)
        same_people = (
            choice.effect is not Effect.REQUIRE_APPROVAL
            or choice.obligations == current.obligations
        )
        if choice.effect is not current.effect or not same_people:
            choices[tool] = choice
    return choices


def minutes_of(asked: Obligations) -> int:
    """The time to decide as the form shows it: whole minutes, at least one."""
    seconds: int = asked.approval_seconds
    return max(1, seconds // 60)


def _choice(posted: Any, pin_id: str, tool: str, wanted: str, current: InForce) -> Choice:
    try:
        effect = Effect(wanted)
    except ValueError:
        raise Refused(
            gettext("{tool}: choose allow, ask or deny").format(tool=tool), field=tool
        ) from None
    if effect is not Effect.REQUIRE_APPROVAL:
        return Choice(effect=effect)
    if f"quorum-{pin_id}" not in posted:
        return Choice(effect=effect, obligations=current.obligations)
    group = posted.get(f"group-{pin_id}", "")
    minutes = whole(
        posted.get(f"minutes-{pin_id}"),
        gettext("{tool}: minutes to decide").format(tool=tool),
        MAX_MINUTES,
    )
    kept = current.obligations.approval_seconds
    in_words = quorums_in_words(current.obligations)
    quorums = _quorums(posted.get(f"quorums-{pin_id}", in_words), tool)
    quorum = whole(
        posted.get(f"quorum-{pin_id}"), gettext("{tool}: approvals needed").format(tool=tool), 20
    )
    obligations: Obligations = replace(
        current.obligations,
        groups=tuple(each.group for each in quorums) or _groups(group, current),
        quorum=sum(each.need for each in quorums) or quorum,
        quorums=quorums,
        escalate=_escalation(posted, pin_id, tool, current),
        four_eyes=posted.get(f"four_eyes-{pin_id}") == "yes",
        step_up=_step_up(posted, pin_id, tool, current),
        type_target=posted.get(f"type_target-{pin_id}") == "yes",
        approval_seconds=kept if minutes == minutes_of(current.obligations) else minutes * 60,
    )
    return Choice(effect=effect, obligations=obligations)


def _step_up(posted: Any, pin_id: str, tool: str, current: InForce) -> StepUp:
    try:
        return StepUp(posted.get(f"step_up-{pin_id}", current.obligations.step_up))
    except ValueError:
        words = gettext("{tool}: choose how an approver confirms").format(tool=tool)
        raise Refused(words, field=tool) from None


def quorums_in_words(asked: Obligations) -> str:
    """What each group owes by itself, as the form's field holds it: `security 1, ops 2`."""
    return ", ".join(f"{each.group} {each.need}" for each in asked.quorums)


def escalation_minutes(asked: Obligations) -> str:
    """After how many minutes another group is asked as well; empty where none is."""
    return str(max(1, asked.escalate.after_seconds // 60)) if asked.escalate is not None else ""


def _quorums(text: str, tool: str) -> tuple[Seats, ...]:
    found: list[Seats] = []
    for part in (part.split() for part in text.replace(":", " ").split(",") if part.strip()):
        if len(part) != 2:
            raise Refused(
                gettext(
                    "{tool}: write each group with its approvals, as in: ops 2, legal 1"
                ).format(tool=tool),
                field=tool,
            )
        need = whole(part[1], gettext("{tool}: approvals of a group").format(tool=tool), 20)
        found.append(Seats(group=part[0], need=need))
    return tuple(found)


def _escalation(posted: Any, pin_id: str, tool: str, current: InForce) -> Escalation | None:
    """Whom to ask next; what is in force stays where the form says nothing of it."""
    now: Escalation | None = current.obligations.escalate
    if f"escalate_to-{pin_id}" not in posted:
        return now
    to = posted[f"escalate_to-{pin_id}"]
    if not to:
        return None
    minutes = posted.get(f"escalate_minutes-{pin_id}", "")
    if now is not None and minutes == escalation_minutes(current.obligations):
        return replace(now, to=to)  # odd seconds stay
    after = whole(minutes, gettext("{tool}: minutes until then").format(tool=tool), MAX_MINUTES)
    return Escalation(to=to, after_seconds=after * 60)


def _groups(group: str, current: InForce) -> tuple[str, ...]:
    """The chosen group; several that are in force stay when the form says to keep them."""
    if group == SEVERAL:
        return current.obligations.groups
    return (group,) if group else ()


def whole(value: str | None, what: str, most: int) -> int:
    """A whole number from 1 to `most` out of a form field, else Refused."""
    try:
        number = int(value or "")
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise Refused(
            gettext("{what} must be a whole number from 1 to {most}").format(what=what, most=most)
        )
    return number
