"""PostgreSQL, following the test's database."""

from django.db.backends.postgresql import base

from tests.support.engines import Following


class DatabaseWrapper(Following, base.DatabaseWrapper):
    """Django's own, but for when it opens."""
