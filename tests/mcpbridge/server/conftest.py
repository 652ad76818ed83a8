"""A served face with a token of robo's, in front of the witness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mcpbridge.administration import issue_token
from tests.support import witness as witnesses
from tests.support.bridge import Bridge
from tests.support.face import ServedFace, served
from tests.support.witness import Witness


@pytest.fixture(scope="session")
def one_witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """One process for all these tests; `upstream_witness` gives each an empty record."""
    running = witnesses.start(tmp_path_factory.mktemp("witness"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def upstream_witness(one_witness: Witness) -> Witness:
    for record in one_witness.folder.glob("*.jsonl"):
        record.unlink()
    one_witness.release()
    return one_witness


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
