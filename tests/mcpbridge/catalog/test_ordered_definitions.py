"""A pinned definition keeps the order in which its upstream wrote it."""

import pytest

from mcpbridge.models import ToolPin, Upstream

pytestmark = [pytest.mark.both_engines, pytest.mark.django_db]


def test_the_members_of_a_definition_come_back_in_their_order():
    definition = {"name": "move", "inputSchema": {"properties": {"to": {}, "from": {}, "a": {}}}}
    upstream = Upstream.objects.create(name="files", transport="http", config_digest=b"d" * 32)
    ToolPin.objects.create(upstream=upstream, name="move", offered=definition, status="new")

    found = ToolPin.objects.get()

    assert found.offered == definition
    assert list(found.offered["inputSchema"]["properties"]) == ["to", "from", "a"]
    assert found.definition is None
