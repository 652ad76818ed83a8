"""What the bridge's tests share: the witness, and the parts of a process that own threads."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
from pytest_django import DjangoDbBlocker

from mcpbridge import offload, records
from mcpbridge.catalog import catalog
from mcpbridge.executor import engine
from tests.support import witness
from tests.support.bridge import Bridge
from tests.support.databases import RealDatabase
from tests.support.furnished import Furnished, Furnisher


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


@pytest.fixture(scope="session")
def furnisher(
    database_template: str,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Furnisher]:
    """The databases of this run with a bridge in them."""
    parts = ExitStack()
    yield Furnisher(database_template, lambda: tmp_path_factory.mktemp("furnished"), parts)
    with django_db_blocker.unblock():
        parts.close()


@pytest.fixture
def furnished(
    furnisher: Furnisher, upstream_witness: witness.Witness, django_db_blocker: DjangoDbBlocker
) -> Furnished:
    """The one in front of the witness."""
    with django_db_blocker.unblock():
        return furnisher.at(upstream_witness.url)


@pytest.fixture
def starting_point(request: pytest.FixtureRequest, database_template: str) -> str:
    """The furnished database for a test that takes `bridge`, the empty one for the others."""
    if "furnished" not in request.fixturenames:
        return database_template
    found: Furnished = request.getfixturevalue("furnished")
    return found.name


@pytest.fixture
def bridge(parts: None, furnished: Furnished) -> Bridge:
    """robo, its token, and the witness as its upstream."""
    return furnished.bridge()
