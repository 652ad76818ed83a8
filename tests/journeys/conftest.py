"""A whole installation of real processes, whose audit record must verify when the story is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from approvals.audit.verification import verify
from mcpbridge import offload
from tests.support.house import House
from tests.support.live import LivePlacet


@pytest.fixture
def house(live_placet: LivePlacet, settings: Settings) -> Iterator[House]:
    """Not started yet: a story furnishes it first."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    house = House(live_placet)
    try:
        yield house
        live_placet.stop()
        assert verify() == []
    finally:
        print(live_placet.logs())  # pytest shows it beside a failure
        house.witness.stop()
        offload.shutdown()
