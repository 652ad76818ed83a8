"""Real interleavings: threads over a database that really commits."""

import pytest

from tests.support import ledger


@pytest.fixture
def cast(real_db):
    """The people of every story, in a committing database."""
    return ledger.a_cast()
