"""What an approval must satisfy before it counts: who, how many, how soon.

Pure data with its reading, writing and tightening; knows neither rules nor rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from approvals.domain.canonical import JSON
from approvals.domain.errors import ObligationsConflict, PolicyInvalid
from approvals.domain.plain import describe, flag, listed, mapping, names, refuse_unknown, whole
from approvals.domain.stepup import StepUp

MAX_QUORUM: Final = 20
MIN_SECONDS: Final = 1
MAX_APPROVAL_SECONDS: Final = 30 * 24 * 3600
MAX_EXECUTION_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """How many approvals one group owes by itself."""

    group: str
    need: int

    def to_dict(self) -> dict[str, JSON]:
        """The stored form."""
        return {"group": self.group, "need": self.need}


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Whom else to ask when nobody has decided `after_seconds` after the ticket was opened."""

    to: str
    after_seconds: int

    def to_dict(self) -> dict[str, JSON]:
        """The stored form."""
        return {"after_seconds": self.after_seconds, "to": self.to}


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligations:
    """No groups means: the reviewer group of the agent's team. Times are in seconds.

    Any member of any named group may vote. With `quorums` each group owes approvals of its own, by
    distinct people; `groups` then are theirs and `quorum` their sum. `approval_seconds` bounds
    deciding only; `execution_seconds` starts when the quorum is complete. `step_up` and
    `type_target` are asked of everybody who approves, never of who rejects.
    """

    groups: tuple[str, ...] = ()
    quorum: int = 1
    quorums: tuple[Seats, ...] = ()
    escalate: Escalation | None = None
    four_eyes: bool = False
    reason_required: bool = False
    step_up: StepUp = StepUp.NONE
    type_target: bool = False
    approval_seconds: int = 3600
    execution_seconds: int = 300

    def to_dict(self) -> dict[str, JSON]:
        """The stored and signed form; `obligations_from` reads it back unchanged."""
        return {
            "approval_seconds": self.approval_seconds,
            "escalate": self.escalate.to_dict() if self.escalate is not None else None,
            "execution_seconds": self.execution_seconds,
            "four_eyes": self.four_eyes,
            "groups": list[JSON](self.groups),
            "quorum": self.quorum,
            "quorums": [seats.to_dict() for seats in self.quorums],
            "reason_required": self.reason_required,
            "step_up": self.step_up.value,
            "type_target": self.type_target,
        }


DEFAULT_OBLIGATIONS: Final = Obligations()
OBLIGATION_KEYS: Final = frozenset(field.name for field in fields(Obligations))


def obligations_from(
    value: object, *, path: str = "obligations", defaults: Obligations = DEFAULT_OBLIGATIONS
) -> Obligations:
    """Obligations from a plain dict; a missing key takes its default.

    Raises PolicyInvalid naming `path`, what was found and what would be right.
    """
    found = mapping(value, path)
    refuse_unknown(found, OBLIGATION_KEYS, path)
    groups, quorum, quorums = _who(found, path, defaults)
    read = Obligations(
        groups=groups,
        quorum=quorum,
        quorums=quorums,
        escalate=_escalation(found["escalate"], f"{path}.escalate")
        if "escalate" in found
        else defaults.escalate,
        four_eyes=flag(found.get("four_eyes", defaults.four_eyes), f"{path}.four_eyes"),
        reason_required=flag(
            found.get("reason_required", defaults.reason_required), f"{path}.reason_required"
        ),
        step_up=_step_up(found.get("step_up", defaults.step_up), f"{path}.step_up"),
        type_target=flag(found.get("type_target", defaults.type_target), f"{path}.type_target"),
        approval_seconds=whole(
            found.get("approval_seconds", defaults.approval_seconds),
            f"{path}.approval_seconds",
            MIN_SECONDS,
            MAX_APPROVAL_SECONDS,
        ),
        execution_seconds=whole(
            found.get("execution_seconds", defaults.execution_seconds),
            f"{path}.execution_seconds",
            MIN_SECONDS,
            MAX_EXECUTION_SECONDS,
        ),
    )
    _require_escalation_helps(read, f"{path}.escalate")
    return read


def tighten(current: Obligations, other: Obligations) -> Obligations:
    """Obligations at least as strict as both, for a revision that is judged again.

    Name the team's own group before calling: an empty list of groups is only comparable with
    another empty one. Raises ObligationsConflict when no group stands in both, or when a group
    would have to be asked that `current` does not ask.
    """
    groups, quorum, quorums = _who_of_both(current, other)
    approval_seconds = min(current.approval_seconds, other.approval_seconds)
    return Obligations(
        groups=groups,
        quorum=quorum,
        quorums=quorums,
        escalate=_later(current.escalate, other.escalate, before=approval_seconds),
        four_eyes=current.four_eyes or other.four_eyes,
        reason_required=current.reason_required or other.reason_required,
        step_up=max(current.step_up, other.step_up, key=lambda asked: asked.strictness),
        type_target=current.type_target or other.type_target,
        approval_seconds=approval_seconds,
        execution_seconds=min(current.execution_seconds, other.execution_seconds),
    )


type _Who = tuple[tuple[str, ...], int, tuple[Seats, ...]]


def _who(found: dict[str, object], path: str, defaults: Obligations) -> _Who:
    """The groups, the quorum, and what each group owes by itself."""
    plain = "groups" in found or "quorum" in found
    if found.get("quorums", () if plain else defaults.quorums):
        quorums = (
            _quorums(found["quorums"], f"{path}.quorums")
            if "quorums" in found
            else defaults.quorums
        )
        groups, quorum = _asked_by(quorums)
        given = found.get("groups", list(groups)), found.get("quorum", quorum)
        if given != (list(groups), quorum):
            raise PolicyInvalid(
                f"{path} has quorums beside other groups or another quorum; quorums say it all",
                path=f"{path}.quorums",
            )
        return groups, quorum, quorums
    if "quorums" in found:
        listed(found["quorums"], f"{path}.quorums")
    groups = names(found.get("groups", list(defaults.groups)), f"{path}.groups")
    quorum = whole(found.get("quorum", defaults.quorum), f"{path}.quorum", 1, MAX_QUORUM)
    return groups, quorum, ()


def _quorums(value: object, path: str) -> tuple[Seats, ...]:
    rows = listed(value, path)
    names([row.get("group") if isinstance(row, dict) else row for row in rows], path)
    seats: list[Seats] = []
    for index, row in enumerate(rows):
        here = f"{path}[{index}]"
        found = mapping(row, here)
        refuse_unknown(found, {"group", "need"}, here)
        need = whole(found.get("need", 1), f"{here}.need", 1, MAX_QUORUM)
        seats.append(Seats(group=str(found["group"]), need=need))
    total = sum(each.need for each in seats)
    if total > MAX_QUORUM:
        raise PolicyInvalid(f"{path} add up to {total}; at most {MAX_QUORUM}", path=path)
    return tuple(seats)


def _asked_by(quorums: tuple[Seats, ...]) -> tuple[tuple[str, ...], int]:
    return tuple(each.group for each in quorums), sum(each.need for each in quorums)


def _who_of_both(current: Obligations, other: Obligations) -> _Who:
    """Groups and quorum that satisfy both; never a group that `current` does not ask."""
    conflict = ObligationsConflict(current=list(current.groups), other=list(other.groups))
    if not current.quorums and not other.quorums:
        groups = current.groups
        if set(groups) != set(other.groups):
            groups = tuple(name for name in current.groups if name in other.groups)
            if not groups:
                raise conflict
        return groups, max(current.quorum, other.quorum), ()
    needs = {each.group: each.need for each in current.quorums}
    for each in other.quorums:
        needs[each.group] = max(each.need, needs.get(each.group, 0))
    quorums = tuple(Seats(group=group, need=need) for group, need in needs.items())
    groups, quorum = _asked_by(quorums)
    plain = [each for each in (current, other) if not each.quorums]
    fits = all(set(groups) <= set(each.groups) and quorum >= each.quorum for each in plain)
    if not fits or not set(groups) <= set(current.groups) or quorum > MAX_QUORUM:
        raise conflict
    return groups, quorum, quorums


def _escalation(value: object, path: str) -> Escalation | None:
    if value is None:
        return None
    found = mapping(value, path)
    refuse_unknown(found, {"to", "after_seconds"}, path)
    (to,) = names([found.get("to")], f"{path}.to")
    after = whole(
        found.get("after_seconds"), f"{path}.after_seconds", MIN_SECONDS, MAX_APPROVAL_SECONDS
    )
    return Escalation(to=to, after_seconds=after)


def _require_escalation_helps(read: Obligations, path: str) -> None:
    """Refuse an escalation that would never come, or that asks nobody new."""
    if read.escalate is None:
        return
    if read.escalate.after_seconds >= read.approval_seconds:
        raise PolicyInvalid(
            f"{path}.after_seconds is {read.escalate.after_seconds}, but the time to decide ends"
            f" after {read.approval_seconds}; escalate earlier",
            path=f"{path}.after_seconds",
        )
    if read.escalate.to in read.groups:
        raise PolicyInvalid(
            f"{path}.to is {read.escalate.to!r}, which is asked from the beginning; name another",
            path=f"{path}.to",
        )


def _later(one: Escalation | None, other: Escalation | None, *, before: int) -> Escalation | None:
    """The stricter of two: asking fewer people, later; None where it would come too late."""
    if one is None or other is None or one.to != other.to:
        return None
    after = max(one.after_seconds, other.after_seconds)
    return Escalation(to=one.to, after_seconds=after) if after < before else None


def _step_up(value: object, path: str) -> StepUp:
    try:
        return StepUp(value)  # type: ignore[arg-type]  # whatever else it is raises ValueError
    except ValueError:
        expected = ", ".join(StepUp)
        raise PolicyInvalid(
            f"{path} must be one of {expected}, not {describe(value)}", path=path
        ) from None
