"""The cast of every story, with recording ports."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.support import rings
from tests.support.builders import Cast, a_cast


@pytest.fixture(autouse=True)
def recording_ports(settings: Settings) -> Iterator[None]:
    settings.APPROVALS_PORTS = rings.PORTS
    rings.forget()
    yield
    rings.forget()


@pytest.fixture
def cast(db: None) -> Cast:
    return a_cast()
