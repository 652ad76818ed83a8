"""Real interleavings: threads over a database that really commits."""

import pytest

from tests.support import ledger


@pytest.fixture
def cast(real_db, settings):
    """The people of every story, in a committing database; nobody above the ledger is rung."""
    settings.APPROVALS_PORTS = {}
    return ledger.a_cast()
