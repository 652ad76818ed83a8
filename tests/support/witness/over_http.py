"""The witness over Streamable HTTP, raw on asyncio: both protocol eras on one endpoint."""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

from tests.support.witness import core


class HttpWitness:
    def __init__(self, folder: Path, *, era: str = "both", answers: str = "json") -> None:
        self.record = core.Record(folder)
        self.era, self.answers = era, answers
        self.sessions: set[str] = set()
        self.cancelled: dict[Any, asyncio.Event] = {}
        self._replies: dict[Any, asyncio.Future[dict[str, Any]]] = {}
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 24)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        verb = head[0].split(" ")[0]
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if verb == "DELETE":
            self.sessions.discard(headers.get("mcp-session-id", ""))
            self.record.event(kind="session ended")
            return await self._send(writer, 200, b"")
        if verb != "POST":
            return await self._send(writer, 405, b"")
        message = json.loads(body)
        params = message.get("params", {})
        modern = core.VERSION_KEY in params.get("_meta", {})
        needs_session = not modern and message.get("method") != "initialize"
        if needs_session and headers.get("mcp-session-id") not in self.sessions:
            return await self._send(writer, 404, b"")
        if "method" not in message:
            self.record.event(kind="reply", body=message)
            waiting = self._replies.pop(message["id"], None)
            if waiting is not None:
                waiting.set_result(message)
            return await self._send(writer, 202, b"")
        if "id" not in message:
            self.record.event(kind=message["method"], params=params)
            if message["method"] == "notifications/cancelled":
                self.cancelled.setdefault(params["requestId"], asyncio.Event()).set()
            return await self._send(writer, 202, b"")
        outcome = core.basics(message["method"], params, self.era)
        if outcome is None:
            return await self._call(writer, headers, body, message, modern)
        extra = ""
        if message["method"] == "initialize" and "rpc" not in outcome:
            session = uuid.uuid4().hex
            self.sessions.add(session)
            extra = f"Mcp-Session-Id: {session}\r\n"
        status = 400 if "rpc" in outcome and modern else 200
        answer = json.dumps(core.reply(message["id"], outcome)).encode()
        return await self._send(writer, status, answer, extra=extra)

    async def _call(
        self,
        writer: asyncio.StreamWriter,
        headers: dict[str, str],
        body: bytes,
        message: dict[str, Any],
        modern: bool,
    ) -> bool:
        params = message["params"]
        name, arguments = params["name"], params.get("arguments", {})
        seen = {key: value for key, value in headers.items() if key != "authorization"}
        self.record.call(
            tool=name,
            arguments=arguments,
            meta=params.get("_meta", {}),
            body=body.decode(),
            headers=seen,
            era="modern" if modern else "legacy",
        )
        stream = self.answers == "sse" or name in ("slow", "ask")
        if stream:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
        while self.record.held():
            await asyncio.sleep(0.02)
        if name == "ask":
            outcome = await self._ask(writer, modern)
        else:
            if name == "slow":
                await self._be_slow(writer, message, float(arguments["seconds"]))
            outcome = core.run_tool(self.record, name, arguments)
        if modern and "rpc" not in outcome:
            outcome = {"resultType": "complete", **outcome}
        answer = core.reply(message["id"], outcome)
        if not stream:
            return await self._send(writer, 200, json.dumps(answer).encode())
        self._event(writer, answer)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _be_slow(
        self, writer: asyncio.StreamWriter, message: dict[str, Any], seconds: float
    ) -> None:
        token = message["params"].get("_meta", {}).get("progressToken")
        steps = max(1, int(seconds / 0.05))
        for step in range(steps):
            if token is not None:
                params = {"progressToken": token, "progress": step, "total": steps, "message": "…"}
                self._event(
                    writer,
                    {"jsonrpc": "2.0", "method": "notifications/progress", "params": params},
                )
            if writer.transport.is_closing():
                self.record.event(kind="stream closed", id=message["id"])
                raise ConnectionError
            await asyncio.sleep(seconds / steps)

    async def _ask(self, writer: asyncio.StreamWriter, modern: bool) -> dict[str, Any]:
        if modern:
            question = {"method": "elicitation/create", "params": {"message": "Really?"}}
            return {"resultType": "input_required", "inputRequests": {"q": question}}
        answers = []
        for number, method in enumerate(("ping", "sampling/createMessage", "roots/list")):
            request_id = f"witness-{number}"
            self._replies[request_id] = asyncio.get_running_loop().create_future()
            self._event(
                writer, {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {}}
            )
            answers.append(await asyncio.wait_for(self._replies[request_id], 5))
        return core.text(json.dumps(answers))

    def _event(self, writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
        data = b"event: message\r\ndata: " + json.dumps(message).encode() + b"\r\n\r\n"
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def _send(
        self, writer: asyncio.StreamWriter, status: int, body: bytes, *, extra: str = ""
    ) -> bool:
        head = (
            f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{extra}\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        return True


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--era", choices=("both", "modern", "legacy"), default="both")
    parser.add_argument("--answers", choices=("json", "sse"), default="json")
    parser.add_argument("--revised", action="store_true")
    options = parser.parse_args()
    if options.revised:
        core.revise("write_note")
    witness = HttpWitness(options.folder, era=options.era, answers=options.answers)
    print(await witness.start(options.port), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
