"""A served face with a token of robo's, in front of the witness."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mcpbridge.administration import issue_token
from tests.support.bridge import Bridge
from tests.support.face import ServedFace, served
from tests.support.witness import Witness


@pytest.fixture
def witness(upstream_witness: Witness) -> Witness:
    return upstream_witness


@pytest.fixture
def secret(bridge: Bridge) -> str:
    return issue_token(actor="system:test", agent=bridge.agent).secret


@pytest.fixture
async def face(secret: str, loop_parts: None) -> AsyncIterator[ServedFace]:
    async with served(secret=secret) as running:
        yield running
