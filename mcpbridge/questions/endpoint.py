"""Sampling answered by a chat-completions endpoint that the operator runs.

Speaks the OpenAI-compatible wire shape. The address is held to the same rules as an upstream's;
no redirect is followed, nothing is sent twice, everything that comes back has a cap.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from approvals.outbound.sockets import (
    CheckedResolver,
    LookUp,
    checked_socket_factory,
    system_look_up,
)
from mcpbridge.questions.records import Given
from mcpbridge.upstream.questions import Answer, Endpoint, Question
from mcpbridge.upstream.replies import MalformedMessage, load

PATH: Final = "/chat/completions"
CONNECT_SECONDS: Final = 5.0
MOST_STOPS: Final = 4
MOST_TOKENS: Final = 2**31 - 1
_STOPPED: Final[Mapping[str, str]] = {"stop": "endTurn", "length": "maxTokens"}


class EndpointFailed(Exception):
    """The endpoint gave no usable answer; the message says why, without its words."""


def model_for(endpoint: Endpoint, params: Mapping[str, Any]) -> str:
    """The first allowed model that a hint of the upstream names, else the first allowed one."""
    preferences = params.get("modelPreferences")
    hints = preferences.get("hints") if isinstance(preferences, dict) else None
    for hint in hints if isinstance(hints, list) else ():
        name = hint.get("name") if isinstance(hint, dict) else None
        if isinstance(name, str) and name:
            for model in endpoint.models:
                if name.lower() in model.lower():
                    return model
    return endpoint.models[0]


def prompt_of(endpoint: Endpoint, question: Question, *, model: str) -> bytes:
    """The request's body. Raises EndpointFailed for what cannot be said in text, or is too long."""
    params = question.params
    messages = [_message(message) for message in params["messages"]]
    system = params.get("systemPrompt")
    if isinstance(system, str) and system:
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "max_tokens": min(params["maxTokens"], endpoint.max_tokens),
        "stream": False,
    }
    temperature, stops = params.get("temperature"), params.get("stopSequences")
    if isinstance(temperature, int | float) and not isinstance(temperature, bool):
        body["temperature"] = temperature
    if isinstance(stops, list) and stops and all(isinstance(stop, str) for stop in stops):
        body["stop"] = stops[:MOST_STOPS]
    raw = json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(raw) > endpoint.prompt_bytes:
        raise EndpointFailed(f"the prompt is longer than {endpoint.prompt_bytes} bytes")
    return raw


async def complete(endpoint: Endpoint, prompt: bytes, *, look_up: LookUp = system_look_up) -> Given:
    """One exchange with the endpoint. Raises EndpointFailed."""
    private = endpoint.allow_private_addresses
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(allow_private=private, look_up=look_up),
        socket_factory=checked_socket_factory(allow_private=private),
        use_dns_cache=False,
        limit=1,
        force_close=True,
    )
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "placet",
    }
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    try:
        async with (
            asyncio.timeout(endpoint.seconds),
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            ) as http,
            http.post(
                _address(endpoint.url), data=prompt, headers=headers, allow_redirects=False
            ) as response,
        ):
            if response.status != 200:
                raise EndpointFailed(f"the endpoint answered with HTTP status {response.status}")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise EndpointFailed("the endpoint's answer is compressed, unasked for")
            raw = await _body(response, endpoint.answer_bytes)
    except TimeoutError:
        raise EndpointFailed(f"no answer within {endpoint.seconds:g} seconds") from None
    except (aiohttp.ClientError, OSError) as error:
        raise EndpointFailed(f"the endpoint cannot be reached: {type(error).__name__}") from error
    return _read(raw)


def _address(url: str) -> str:
    plain = url.rstrip("/")
    return plain if plain.endswith(PATH) else plain + PATH


def _message(message: Mapping[str, Any]) -> dict[str, str]:
    role, content = message.get("role"), message.get("content")
    blocks = content if isinstance(content, list) else [content]
    texts = []
    for block in blocks:
        is_text = isinstance(block, dict) and block.get("type") == "text"
        text = block.get("text") if is_text and isinstance(block, dict) else None
        if not isinstance(text, str):
            raise EndpointFailed("only text is put to this gateway's model")
        texts.append(text)
    if role not in ("user", "assistant"):
        raise EndpointFailed("a message's role must be user or assistant")
    return {"role": role, "content": "\n".join(texts)}


async def _body(response: aiohttp.ClientResponse, cap: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > cap:
            raise EndpointFailed(f"the endpoint's answer is longer than {cap} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _read(raw: bytes) -> Given:
    try:
        said = load(raw)
    except MalformedMessage:
        raise EndpointFailed("the endpoint's answer is not JSON") from None
    said = said if isinstance(said, dict) else {}
    choices = said.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    text = message.get("content") if isinstance(message, dict) else None
    model = said.get("model")
    if not isinstance(choice, dict) or not isinstance(text, str) or not isinstance(model, str):
        raise EndpointFailed("the endpoint's answer is not a chat completion with text")
    usage = said.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    result: dict[str, Any] = {
        "role": "assistant",
        "content": {"type": "text", "text": text},
        "model": model[:200],
    }
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and finish in _STOPPED:
        result["stopReason"] = _STOPPED[finish]
    return Given(
        answer=Answer(result=result),
        model=model,
        prompt_tokens=_tokens(usage.get("prompt_tokens")),
        answer_tokens=_tokens(usage.get("completion_tokens")),
    )


def _tokens(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None
