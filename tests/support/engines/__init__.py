"""Django's two database engines for tests that each have a database of their own.

A connection stays open as it does in a real process, until the test's database is another one:
opening one anew for each piece of work took a third of the suite's time.
"""

from typing import Any


class Following:
    """A connection that notices when its settings name another database, and opens anew."""

    _opened: str | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._opened = self.settings_dict["NAME"]
        return super().get_new_connection(conn_params)

    def ensure_connection(self) -> None:
        self._follow()
        super().ensure_connection()

    def close_if_unusable_or_obsolete(self) -> None:
        self._follow()
        super().close_if_unusable_or_obsolete()

    def _follow(self) -> None:
        stale = self.connection is not None and self._opened != self.settings_dict["NAME"]
        if stale and not self.in_atomic_block:
            self.close()
