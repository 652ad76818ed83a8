"""A small chat-completions endpoint on a real socket, which keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class ChatEndpoint:
    """Answers every POST with `answer` after `delay` seconds; `requests` are (head, body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        self.extra = ""
        self.delay = 0.0
        self.raw: bytes | None = None
        self.answer: dict[str, Any] = {
            "model": "small-2026",
            "choices": [
                {"message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 12, "completion_tokens": 3},
        }
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(
            int(line.partition(":")[2])
            for line in head.split("\r\n")
            if line.lower().startswith("content-length")
        )
        body = json.loads(await reader.readexactly(length))
        self.requests.append((head, body))
        await asyncio.sleep(self.delay)
        raw = self.raw if self.raw is not None else json.dumps(self.answer).encode()
        writer.write(
            f"HTTP/1.1 {self.status} Status\r\nContent-Type: application/json\r\n{self.extra}"
            f"Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n".encode()
            + raw
        )
        try:
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()
