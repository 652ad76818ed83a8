"""What we POST beside a call: cancellations, and answers to what a legacy server asks us.

Bounded and best effort: whether they arrive changes nothing about any call's outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp

from mcpbridge.upstream.client.asking import OpenQuestions
from mcpbridge.upstream.client.exchange import Exchange
from mcpbridge.upstream.client.flight import Background
from mcpbridge.upstream.envelope import dump, refused_request
from mcpbridge.upstream.replies import Message

SECONDS = 2.0
DRAIN_SECONDS = 0.5
DRAIN_BYTES = 64 * 1024


class SideMessages:
    """The side messages of one session."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, headers: Callable[[], dict[str, str]]
    ) -> None:
        self._http, self._url, self._headers = http, url, headers
        self._background = Background()
        self.refused = 0

    def start(self, work: Any) -> None:
        """Run a coroutine that handles its own errors, until the session is closed."""
        self._background.start(work)

    async def close(self) -> None:
        """Cancel what is under way."""
        await self._background.close()

    async def post(self, line: bytes) -> None:
        """Send one line; whatever comes back is not read."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with (
                asyncio.timeout(SECONDS),
                self._http.post(
                    self._url,
                    data=line,
                    headers=self._headers() | Exchange.BODY_HEADERS,
                    allow_redirects=False,
                ),
            ):
                pass

    async def say_goodbye(self) -> None:
        """Delete a legacy session."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with (
                asyncio.timeout(SECONDS),
                self._http.delete(self._url, headers=self._headers(), allow_redirects=False),
            ):
                pass

    def refuse_quietly(self, message: Message) -> None:
        """Count a server's request where the protocol has none (modern era, handshake)."""
        self.refused += message.method != "ping"

    def answer(self, questions: OpenQuestions, message: Message) -> None:
        """Answer a server's own request on a call's stream: a question, where it may ask one.

        `ping` is served; everything else is refused.
        """
        if not questions.take(message, self.post):
            self.refuse(message)

    def refuse(self, message: Message) -> None:
        """Answer a server's own request that belongs to no call: `ping` is served, nothing else."""
        self.refuse_quietly(message)
        body = refused_request(message.id)
        if message.method == "ping":
            body = {"jsonrpc": "2.0", "id": message.id, "result": {}}
        self.start(self.post(dump(body)))

    def leave_to_drain(self, response: aiohttp.ClientResponse) -> None:
        """Let an answered stream end by itself for a moment, so that it can be used again."""
        self.start(_drain(response))


async def _drain(response: aiohttp.ClientResponse) -> None:
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in response.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    break
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    finally:
        if response.content.at_eof():
            response.release()
        else:
            response.close()
