"""The steps of a random walk, and the clock that it puts forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

type Step = Callable[[Callable[..., None]], Callable[..., None]]


def step(*, needs: str = "", at_most: int = 0, **drawn: st.SearchStrategy[Any]) -> Step:
    """A rule of the machine, taken when it is in focus and the list named `needs` is not empty.

    With `at_most`, only while there are fewer tickets than that.
    """

    def wrap(act: Callable[..., None]) -> Callable[..., None]:
        possible = precondition(
            lambda self: (
                (not self.focus or act.__name__ in self.focus)
                and (not needs or bool(getattr(self, needs)))
                and (not at_most or len(self.uids) < at_most)
            )
        )
        return possible(rule(**drawn)(act))

    return wrap


class Clock:
    """The database's clock, put forward by the machine."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        shifted = sql.replace("'now'", f"'now', '{self.offset:+d} seconds'")
        return execute(shifted, params, many, context)
