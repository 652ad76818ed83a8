"""SQLite, following the test's database."""

from placet.engines.sqlite3 import base
from tests.support.engines import Following


class DatabaseWrapper(Following, base.DatabaseWrapper):
    """Placet's own, but for when it opens."""
