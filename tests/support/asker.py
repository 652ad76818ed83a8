"""An upstream whose tool `ask` asks its client before it answers, in either protocol era.

Runs in the test's own event loop, on the witness's raw server. The tool's arguments name what is
asked: `{"questions": ["sampling", "elicitation", "roots"]}`; its text is what came back, as JSON.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.support.witness import core
from tests.support.witness.over_http import HttpWitness

SAMPLE: dict[str, Any] = {
    "messages": [{"role": "user", "content": {"type": "text", "text": "What is the capital?"}}],
    "maxTokens": 100,
    "systemPrompt": "Be brief.",
}
FORM: dict[str, Any] = {
    "message": "Who are you?",
    "requestedSchema": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "sampling": {"method": "sampling/createMessage", "params": SAMPLE},
    "elicitation": {"method": "elicitation/create", "params": FORM},
    "roots": {"method": "roots/list", "params": {}},
}
EVERYTHING = ("sampling", "elicitation", "roots")


class Asker(HttpWitness):
    """Keeps what it was told: `calls` are the parameters of `ask`, `told` what was answered."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: list[dict[str, Any]] = []
        self.told: list[Any] = []
        self.capabilities: list[Any] = []
        self.patience = 10.0
        self._numbers = 0

    async def _call(
        self,
        writer: asyncio.StreamWriter,
        headers: dict[str, str],
        body: bytes,
        message: dict[str, Any],
        modern: bool,
    ) -> bool:
        params = message["params"]
        if params["name"] != "ask":
            return await super()._call(writer, headers, body, message, modern)
        self.asked.append(params)
        wanted = params["arguments"].get("questions", [])
        if modern:
            outcome = self._modern(params, wanted)
            answer = json.dumps(core.reply(message["id"], outcome)).encode()
            return await self._send(writer, 200, answer)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        outcome = await self._legacy(writer, wanted)
        self._event(writer, core.reply(message["id"], outcome))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _modern(self, params: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
        self.capabilities.append(params["_meta"].get("io.modelcontextprotocol/clientCapabilities"))
        before = json.loads(params.get("requestState", "{}"))
        given = {**before, **(params.get("inputResponses") or {})}
        missing = [kind for kind in wanted if kind not in given]
        if missing:
            return {
                "resultType": "input_required",
                "inputRequests": {kind: QUESTIONS[kind] for kind in missing},
                "requestState": json.dumps(given),
            }
        self.told.append(given)
        return {"resultType": "complete", **core.text(json.dumps(given))}

    async def _legacy(self, writer: asyncio.StreamWriter, wanted: list[str]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for kind in wanted:
            self._numbers += 1
            request_id = f"asker-{self._numbers}"
            self._replies[request_id] = asyncio.get_running_loop().create_future()
            self._event(writer, {"jsonrpc": "2.0", "id": request_id, **QUESTIONS[kind]})
            reply = await asyncio.wait_for(self._replies[request_id], self.patience)
            given[kind] = reply.get("result", {"refused": reply.get("error")})
        self.told.append(given)
        return core.text(json.dumps(given))
