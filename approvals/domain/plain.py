"""Reading plain data (parsed YAML or JSON) into values, refusing whatever is not understood.

Every refusal is a PolicyInvalid that names the path, what was found there and what would be right.
Knows nothing of what the values mean.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from approvals.domain.errors import PolicyInvalid

MAX_NAMES: Final = 20
MAX_NAME: Final = 100


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


def listed(value: object, path: str) -> list[object]:
    """`value` as a list."""
    if not isinstance(value, list | tuple):
        raise PolicyInvalid(f"{path} must be a list, not {describe(value)}", path=path)
    return list(value)


def names(value: object, path: str) -> tuple[str, ...]:
    """`value` as a list of different names."""
    if not isinstance(value, list | tuple):
        raise PolicyInvalid(f"{path} must be a list of names, not {describe(value)}", path=path)
    if len(value) > MAX_NAMES:
        raise PolicyInvalid(f"{path} names {len(value)} groups; at most {MAX_NAMES}", path=path)
    found: list[str] = []
    for index, name in enumerate(value):
        if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME:
            raise PolicyInvalid(
                f"{path}[{index}] must be a group name of 1..{MAX_NAME} characters,"
                f" not {describe(name)}",
                path=path,
            )
        if name in found:
            raise PolicyInvalid(f"{path} names {name!r} twice", path=path)
        found.append(name)
    return tuple(found)


def whole(value: object, path: str, least: int, most: int) -> int:
    """`value` as a whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise PolicyInvalid(
            f"{path} must be a whole number from {least} to {most}, not {describe(value)}",
            path=path,
        )
    return value


def flag(value: object, path: str) -> bool:
    """`value` as true or false."""
    if not isinstance(value, bool):
        raise PolicyInvalid(f"{path} must be true or false, not {describe(value)}", path=path)
    return value
