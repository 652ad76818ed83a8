"""The everything server: the official SDK's low-level server over what `offers` lists."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import INVALID_PARAMS

from tests.outside.everything import offers
from tests.outside.everything.changes import Changes
from tests.outside.everything.questions import Asked, Context, ask, elicit, is_modern
from tests.outside.everything.tools import IMAGE, TOOLS, resource

NAME = "everything"
_TEMPLATE = re.compile(re.escape(offers.TEMPLATE).replace(r"\{id\}", "([^/]+)"))
_HINT = CacheHint(ttl_ms=0, scope="private")
_HINTED = (
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "server/discover",
)


class _Server(Server[Any]):
    """Says in the older handshake, too, that its lists change."""

    def create_initialization_options(
        self, notification_options: Any = None, *more: Any, **named: Any
    ) -> InitializationOptions:
        options = NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(options, *more, **named)


class Everything:
    """The handlers, over what changes."""

    def __init__(self) -> None:
        self.changes = Changes()

    def server(self) -> Server[Any]:
        """The SDK's server with a handler for every method."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            server: Server[Any] = _Server(
                NAME,
                version="1",
                cache_hints=dict.fromkeys(_HINTED, _HINT),
                on_list_tools=_whole(self._list_tools),
                on_call_tool=_whole(self._call_tool),
                on_list_prompts=_whole(self._list_prompts),
                on_get_prompt=_whole(self._get_prompt),
                on_list_resources=_whole(self._list_resources),
                on_list_resource_templates=_whole(self._list_templates),
                on_read_resource=_whole(self._read_resource),
                on_subscribe_resource=_whole(self._subscribe),
                on_unsubscribe_resource=_whole(self._unsubscribe),
                on_subscriptions_listen=ListenHandler(self.changes.bus),
                on_completion=_whole(self._complete),
                on_set_logging_level=_whole(self._set_level),
            )
        security = RequestStateSecurity.ephemeral()
        server.middleware.append(RequestStateBoundary(security, default_audience=NAME))
        return server

    async def _list_tools(self, ctx: Context, params: Any) -> Any:
        appearing = {
            "name": offers.DYNAMIC_TOOL,
            "description": "Is not always there.",
            "inputSchema": {"type": "object"},
        }
        return {"tools": [*offers.TOOLS, *([appearing] if self.changes.has_tool else [])]}

    async def _call_tool(self, ctx: Context, params: Any) -> Any:
        run = TOOLS.get(params.name)
        if run is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {params.name}")
        try:
            return await run(ctx, dict(params.arguments or {}), self.changes)
        except Asked as asked:
            return asked.result

    async def _list_prompts(self, ctx: Context, params: Any) -> Any:
        appearing = {"name": offers.DYNAMIC_PROMPT, "description": "Is not always there."}
        return {"prompts": [*offers.PROMPTS, *([appearing] if self.changes.has_prompt else [])]}

    async def _get_prompt(self, ctx: Context, params: Any) -> Any:
        given = dict(params.arguments or {})
        if params.name in {"test_simple_prompt", offers.DYNAMIC_PROMPT}:
            return _messages(_text("This is a simple prompt for testing."))
        if params.name == "test_prompt_with_arguments":
            said = f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
            return _messages(_text(said))
        if params.name == "test_prompt_with_embedded_resource":
            inside = "Embedded resource content for testing."
            shown = resource(str(given.get("resourceUri")), "text/plain", inside)
            return _messages(shown, _text("Please process the embedded resource above."))
        if params.name == "test_prompt_with_image":
            return _messages(IMAGE, _text("Please analyze the image above."))
        if params.name == "test_input_required_result_prompt":
            question = elicit("What context should the prompt use?", context=offers.STRING)
            try:
                answers = await ask(ctx, user_context=question)
            except Asked as asked:
                return asked.result
            return _messages(_text(f"Use {answers['user_context'].get('content')}."))
        raise MCPError(code=INVALID_PARAMS, message=f"Unknown prompt: {params.name}")

    async def _list_resources(self, ctx: Context, params: Any) -> Any:
        return {"resources": offers.RESOURCES}

    async def _list_templates(self, ctx: Context, params: Any) -> Any:
        return {"resourceTemplates": offers.TEMPLATES}

    async def _read_resource(self, ctx: Context, params: Any) -> Any:
        uri = str(params.uri)
        found = _TEMPLATE.fullmatch(uri)
        if found is not None:
            data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
            return _contents(uri, "application/json", text=json.dumps(data))
        if uri == "test://static-text":
            inside = "This is the content of the static text resource."
            return _contents(uri, "text/plain", text=inside)
        if uri == "test://static-binary":
            return _contents(uri, "image/png", blob=offers.PNG)
        if uri == offers.WATCHED:
            return _contents(uri, "text/plain", text=f"Revision {self.changes.revision}.")
        raise MCPError(code=INVALID_PARAMS, message="Resource not found", data={"uri": uri})

    async def _subscribe(self, ctx: Context, params: Any) -> Any:
        self.changes.watch(ctx, str(params.uri))
        return {}

    async def _unsubscribe(self, ctx: Context, params: Any) -> Any:
        self.changes.forget(ctx, str(params.uri))
        return {}

    async def _complete(self, ctx: Context, params: Any) -> Any:
        begun = str(params.argument.value).lower()
        values = [word for word in offers.COMPLETIONS if word.startswith(begun)]
        return {"completion": {"values": values, "total": len(values), "hasMore": False}}

    async def _set_level(self, ctx: Context, params: Any) -> Any:
        self.changes.set_level(ctx, params.level)
        return {}


def _whole(handler: Callable[[Context, Any], Awaitable[Any]]) -> Any:
    """A modern result says that it is one."""

    async def answer(ctx: Context, params: Any) -> Any:
        result = await handler(ctx, params)
        return {"resultType": "complete", **result} if is_modern(ctx) else result

    return answer


def _text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def _messages(*contents: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content} for content in contents]}


def _contents(uri: str, mime: str, **inside: str) -> dict[str, Any]:
    return {"contents": [{"uri": uri, "mimeType": mime, **inside}]}
