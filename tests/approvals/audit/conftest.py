"""A story whose record adds up, for tests that then damage it."""

import pytest

from approvals.audit.verification import verify
from tests.support import record


@pytest.fixture
def story(db):
    """A record that adds up, with a row in every audited table."""
    cast = record.a_story()
    assert verify() == []
    return cast
