"""Which application answers which connection: agents, sockets, pages, and the server's lifespan.

Knows paths and scope types; knows nothing of what the applications do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings

from approvals.routing import websocket_urlpatterns
from mcpbridge.server import app
from placet.logs import TRACE, trace_id

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
# Servers, Django and Channels each type these their own way.
type Application = Callable[[Any, Any, Any], Awaitable[None]]

AGENT_PATHS = ("/mcp", "/.well-known/oauth-protected-resource")


def is_agent_path(path: str) -> bool:
    """Whether `path` belongs to the agents' face."""
    return any(path == root or path.startswith(f"{root}/") for root in AGENT_PATHS)


def build_application(pages: Application) -> Application:
    """The dispatcher over `pages` (Django), the agents' face and the browsers' sockets."""
    sockets = OriginValidator(
        AuthMiddlewareStack(URLRouter(websocket_urlpatterns)), list(settings.ENV.origins)
    )

    agents: Application = app.application

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the connection to the application that it is for."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        TRACE.set(_trace(scope))
        if scope["type"] == "websocket":
            await sockets(scope, receive, send)
        elif is_agent_path(scope["path"]):
            await agents(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return application


def _trace(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return trace_id(value.decode("latin-1"))
    return ""


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer a server that speaks lifespan; the parts start themselves at their first request."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
