"""What the bridge's tests share: the witness, and the parts of a process that own threads."""

from collections.abc import AsyncIterator, Iterator

import pytest

from mcpbridge import offload, records
from mcpbridge.catalog import catalog
from mcpbridge.executor import engine
from tests.support import witness
from tests.support.bridge import Bridge, a_bridge
from tests.support.databases import RealDatabase


@pytest.fixture(scope="session")
def witnesses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[witness.Witness]]:
    """The witness of this run, the last one counts; a test may have ended those before it."""
    started: list[witness.Witness] = []
    yield started
    for running in started:
        running.stop()


@pytest.fixture
def upstream_witness(
    witnesses: list[witness.Witness], tmp_path_factory: pytest.TempPathFactory
) -> witness.Witness:
    """The recording upstream, over HTTP in a process of its own, with an empty record."""
    if not witnesses or not witnesses[-1].running.alive():
        witnesses.append(witness.start(tmp_path_factory.mktemp("witness")))
    witnesses[-1].forget()
    return witnesses[-1]


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
