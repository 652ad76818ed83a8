"""What an approval must satisfy before it counts: who, how many, how soon.

Pure data with its reading, writing and tightening; knows neither rules nor rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Final

from approvals.domain.canonical import JSON
from approvals.domain.errors import ObligationsConflict, PolicyInvalid

MAX_QUORUM: Final = 20
MAX_GROUPS: Final = 20
MAX_GROUP_NAME: Final = 100
MIN_SECONDS: Final = 1
MAX_APPROVAL_SECONDS: Final = 30 * 24 * 3600
MAX_EXECUTION_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligations:
    """No groups means: the reviewer group of the agent's team. Times are in seconds.

    Any member of any named group may vote. `approval_seconds` bounds deciding only;
    `execution_seconds` starts when the quorum is complete.
    """

    groups: tuple[str, ...] = ()
    quorum: int = 1
    four_eyes: bool = False
    reason_required: bool = False
    approval_seconds: int = 3600
    execution_seconds: int = 300

    def to_dict(self) -> dict[str, JSON]:
        """The stored and signed form; `obligations_from` reads it back unchanged."""
        return {
            "approval_seconds": self.approval_seconds,
            "execution_seconds": self.execution_seconds,
            "four_eyes": self.four_eyes,
            "groups": list[JSON](self.groups),
            "quorum": self.quorum,
            "reason_required": self.reason_required,
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
    return Obligations(
        groups=_groups(found.get("groups", list(defaults.groups)), f"{path}.groups"),
        quorum=_whole(found.get("quorum", defaults.quorum), f"{path}.quorum", 1, MAX_QUORUM),
        four_eyes=_flag(found.get("four_eyes", defaults.four_eyes), f"{path}.four_eyes"),
        reason_required=_flag(
            found.get("reason_required", defaults.reason_required), f"{path}.reason_required"
        ),
        approval_seconds=_whole(
            found.get("approval_seconds", defaults.approval_seconds),
            f"{path}.approval_seconds",
            MIN_SECONDS,
            MAX_APPROVAL_SECONDS,
        ),
        execution_seconds=_whole(
            found.get("execution_seconds", defaults.execution_seconds),
            f"{path}.execution_seconds",
            MIN_SECONDS,
            MAX_EXECUTION_SECONDS,
        ),
    )


def tighten(current: Obligations, other: Obligations) -> Obligations:
    """Obligations at least as strict as both, for a revision that is judged again.

    Name the team's own group before calling: an empty list of groups is only comparable with
    another empty one. Raises ObligationsConflict when no group stands in both.
    """
    groups = current.groups
    if set(groups) != set(other.groups):
        groups = tuple(name for name in current.groups if name in other.groups)
        if not groups:
            raise ObligationsConflict(current=list(current.groups), other=list(other.groups))
    return Obligations(
        groups=groups,
        quorum=max(current.quorum, other.quorum),
        four_eyes=current.four_eyes or other.four_eyes,
        reason_required=current.reason_required or other.reason_required,
        approval_seconds=min(current.approval_seconds, other.approval_seconds),
        execution_seconds=min(current.execution_seconds, other.execution_seconds),
    )


def mapping(value: object, path: str) -> dict[str, object]:
    """`value` as a mapping with string keys, else PolicyInvalid naming `path`."""
    if not isinstance(value, dict):
        raise PolicyInvalid(f"{path} must be a mapping, not {describe(value)}", path=path)
    for key in value:
        if not isinstance(key, str):
            raise PolicyInvalid(f"{path} has the key {key!r}; keys are strings", path=path)
    return value


def refuse_unknown(found: Collection[str], known: Collection[str], path: str) -> None:
    """Refuse a key nobody understands: a misspelt condition must not widen a rule."""
    for key in found:
        if key not in known:
            expected = ", ".join(sorted(known))
            raise PolicyInvalid(
                f"{path} has the unknown key {key!r}; known keys are {expected}", path=path
            )


def describe(value: object) -> str:
    """A value for an error message: its kind, and the value itself where it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _groups(value: object, path: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise PolicyInvalid(f"{path} must be a list of names, not {describe(value)}", path=path)
    if len(value) > MAX_GROUPS:
        raise PolicyInvalid(f"{path} names {len(value)} groups; at most {MAX_GROUPS}", path=path)
    names: list[str] = []
    for index, name in enumerate(value):
        if not isinstance(name, str) or not name.strip() or len(name) > MAX_GROUP_NAME:
            raise PolicyInvalid(
                f"{path}[{index}] must be a group name of 1..{MAX_GROUP_NAME} characters,"
                f" not {describe(name)}",
                path=path,
            )
        if name in names:
            raise PolicyInvalid(f"{path} names {name!r} twice", path=path)
        names.append(name)
    return tuple(names)


def _whole(value: object, path: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise PolicyInvalid(
            f"{path} must be a whole number from {least} to {most}, not {describe(value)}",
            path=path,
        )
    return value


def _flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise PolicyInvalid(f"{path} must be true or false, not {describe(value)}", path=path)
    return value
