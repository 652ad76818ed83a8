"""The cast, with a lookout that begins at what is there."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from approvals.services import watching
from tests.support import rings
from tests.support.builders import Cast, a_cast


@pytest.fixture(autouse=True)
def recording_ports(settings: Settings) -> None:
    settings.APPROVALS_PORTS = rings.PORTS
    rings.forget()


@pytest.fixture
def cast(db: None) -> Cast:
    cast = a_cast()
    watching.watch()  # the lookout begins at what is there
    return cast
