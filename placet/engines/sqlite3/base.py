"""The connection: it waits for its turn before a transaction begins, and gives it back after it.

Other processes are still kept apart by SQLite's own lock.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from placet.engines.turns import Turns, TurnTimeout, turns_of


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection of one thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turn: Turns | None = None  # while it is ours

    def _start_transaction_under_autocommit(self) -> None:
        turns = turns_of(str(self.settings_dict["NAME"]))
        patience = float(self.settings_dict["OPTIONS"].get("timeout", 5.0))
        try:
            turns.take(within=patience)
        except TurnTimeout:
            raise OperationalError(
                f"database is locked: other threads wrote for {patience:g} s"
            ) from None
        self._turn = turns
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # the stubs leave it out
        except BaseException:
            self._give_back()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # the stubs leave it out
        self._give_back()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # the stubs leave it out
        finally:
            self._give_back()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # the stubs leave it out
        finally:
            self._give_back()

    def _give_back(self) -> None:
        turns, self._turn = self._turn, None
        if turns is not None:
            turns.give_back()
