"""A cache that all processes share while the broker is there, and each its own while it is not.

What is kept here only ever makes somebody wait (limits of how often one may try a password), so
losing it is no harm, and waiting for it would be.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class SharedCache(BaseCache):
    """Redis or Valkey by its address, and this process's memory where it does not answer."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._shared = RedisCache(location, params)
        options = {name: value for name, value in params.items() if name != "OPTIONS"}
        self._own = LocMemCache("placet", options)
        self._failing = False

    def add(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Set a value that is not there yet; whether it was set."""
        return bool(self._ask(lambda cache: cache.add(key, value, timeout, version)))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """The value, or `default`."""
        return self._ask(lambda cache: cache.get(key, default, version))

    def set(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Keep a value for `timeout` seconds."""
        self._ask(lambda cache: cache.set(key, value, timeout, version))

    def touch(
        self,
        key: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Keep a value for longer; whether it was there."""
        return bool(self._ask(lambda cache: cache.touch(key, timeout, version)))

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Forget a value; whether it was there."""
        return bool(self._ask(lambda cache: cache.delete(key, version)))

    def clear(self) -> None:
        """Forget what this process keeps; the shared store holds more than a cache."""
        self._own.clear()

    def _ask(self, act: Callable[[BaseCache], Any]) -> Any:
        try:
            answer = act(self._shared)
        except (RedisError, OSError) as problem:
            if not self._failing:
                logger.warning("The shared cache is away (%s).", type(problem).__name__)
            self._failing = True
            return act(self._own)
        self._failing = False
        return answer
