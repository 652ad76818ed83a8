"""Reading single variables: one at a time, collecting what is wrong; knows no variable by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

DAY = 86_400  # seconds


class Reader:
    """Reads one variable at a time and collects what is wrong instead of stopping at the first."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """The variable without surrounding blanks, or `default`."""
        return self.variables.get(name, "").strip() or default

    def refuse(self, name: str, expected: str, *, show: bool = True) -> None:
        """Note that `name` is wrong; `show=False` where its value may hold a secret."""
        given = f"is {self.variables.get(name, '')!r}" if show else "is not usable"
        self.problems.append(f"{name} {given}; expected {expected}.")

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        raw = self.text(name, str(default))
        if raw.isascii() and raw.isdigit() and low <= int(raw) <= high:
            return int(raw)
        self.refuse(name, f"a whole number from {low} to {high}")
        return default

    def seconds(self, name: str, default: float) -> float:
        """A positive number of seconds, at most a day."""
        raw = self.text(name, str(default))
        if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", raw) and 0 < float(raw) <= DAY:
            return float(raw)
        self.refuse(name, "a number of seconds above 0 and up to 86400, such as 30 or 0.5")
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        """1 or 0."""
        raw = self.text(name, "1" if default else "0").lower()
        if raw in {"1", "true", "yes", "on"}:
            return True
        if raw not in {"0", "false", "no", "off"}:
            self.refuse(name, "1 or 0")
        return False

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list separated by commas."""
        raw = self.text(name)
        return tuple(w.strip() for w in raw.split(",") if w.strip()) if raw else default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of `choices`, whatever its case."""
        raw = self.text(name, default).upper()
        if raw not in choices:
            self.refuse(name, f"one of {', '.join(choices)}")
            return default
        return raw
