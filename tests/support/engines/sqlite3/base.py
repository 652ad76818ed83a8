"""SQLite, following the test's database."""

from django.db.backends.sqlite3 import base

from tests.support.engines import Following


class DatabaseWrapper(Following, base.DatabaseWrapper):
    """Django's own, but for when it opens."""
