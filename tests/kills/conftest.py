"""What the kill tests need of this process."""

from collections.abc import Iterator

import pytest

from mcpbridge import offload
from tests.support.databases import RealDatabase


@pytest.fixture
def parts(real_db: RealDatabase) -> Iterator[None]:
    """The threads of this process end before their database goes."""
    yield
    offload.shutdown()
