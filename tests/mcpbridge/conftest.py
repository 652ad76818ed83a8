"""What the bridge's tests share: the witness, and the parts of a process that own threads."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mcpbridge import offload, records
from mcpbridge.catalog import catalog
from mcpbridge.executor import engine
from tests.support import witness
from tests.support.bridge import Bridge, a_bridge
from tests.support.databases import RealDatabase


@pytest.fixture
def upstream_witness(tmp_path: Path) -> Iterator[witness.Witness]:
    """The recording upstream, over HTTP in a process of its own."""
    running = witness.start(tmp_path / "witness")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def parts(real_db: RealDatabase) -> Iterator[None]:
    """The process's threads work on this test's database and end with it."""
    yield
    engine.shutdown()
    records.shutdown()
    offload.shutdown()


@pytest.fixture
async def loop_parts(parts: None) -> AsyncIterator[None]:
    """What this test's event loop holds open is closed before its database goes."""
    yield
    await catalog.close()


@pytest.fixture
def bridge(parts: None, upstream_witness: witness.Witness) -> Bridge:
    """robo, its token, and the witness as its upstream."""
    return a_bridge(upstream_witness.url)
