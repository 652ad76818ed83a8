"""What all processes count together, and what happens when the broker is away."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.cache import caches
from django.utils.module_loading import import_string

from placet.caching import SharedCache
from tests.support.valkey import ValkeyServer

PARAMS = {"KEY_PREFIX": "placet", "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1}}


def test_two_processes_count_together(valkey_server: ValkeyServer) -> None:
    one, other = (SharedCache(valkey_server.url, PARAMS) for _ in range(2))
    assert one.add("tries", [1], 60)
    assert not other.add("tries", [9], 60)
    other.set("tries", [1, 2], 60)
    assert one.get("tries") == [1, 2]
    assert one.touch("tries", 90)
    assert other.delete("tries")
    assert one.get("tries", "none") == "none"


def test_without_the_broker_each_process_counts_alone_and_nothing_fails(
    valkey_server: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    cache = SharedCache(valkey_server.url, PARAMS)
    valkey_server.stop()
    cache.set("tries", [1], 60)
    assert cache.get("tries") == [1]
    assert caplog.text.count("The shared cache is away") == 1
    cache.clear()
    assert cache.get("tries") is None
    valkey_server.start()
    cache.set("tries", [2], 60)
    assert cache.get("tries") == [2]


def test_the_installations_cache_is_the_shared_one() -> None:
    found = settings.CACHES["default"]
    assert import_string(found["BACKEND"]) is SharedCache
    assert found["LOCATION"] == settings.ENV.redis_url
    assert isinstance(caches["default"], SharedCache)
