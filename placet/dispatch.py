"""Which application answers which connection: agents, sockets, pages, and the server's lifespan.

Knows paths and scope types; knows nothing of what the applications do.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.urls import re_path

from approvals.routing import websocket_urlpatterns
from mcpbridge.server import app
from placet.asgi_types import Application, Receive, Scope, Send
from placet.edge import bounded
from placet.logs import TRACE, trace_id

logger = logging.getLogger(__name__)

AGENT_PATHS = ("/mcp", "/.well-known/oauth-protected-resource")


def is_agent_path(path: str) -> bool:
    """Whether `path` belongs to the agents' face."""
    return any(path == root or path.startswith(f"{root}/") for root in AGENT_PATHS)


def build_application(pages: Application) -> Application:
    """The dispatcher over `pages` (Django), the agents' face and the browsers' sockets."""
    # Without the last route an unknown path would be an exception with a traceback in the log.
    routes = URLRouter([*websocket_urlpatterns, re_path("", WebsocketDenier.as_asgi())])
    sockets = _from_our_pages(SessionMiddlewareStack(routes), frozenset(settings.ENV.origins))
    agents: Application = app.application
    browsers = bounded(pages, limit=settings.ENV.max_body_bytes)

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
            await browsers(scope, receive, send)

    return application


def _from_our_pages(sockets: Application, origins: Collection[str]) -> Application:
    """`sockets` for browsers on our own pages: exactly one Origin, spelled as browsers spell it.

    Nothing of a foreign Origin is parsed: a port beyond 65535 is no reason for an exception.
    """
    known = {origin.lower().encode("ascii") for origin in origins}
    deny: Application = WebsocketDenier.as_asgi()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        given = [value for name, value in scope["headers"] if name == b"origin"]
        ours = len(given) == 1 and given[0].lower() in known
        await (sockets if ours else deny)(scope, receive, send)

    return application


def _trace(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return trace_id(value.decode("latin-1"))
    return ""


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer a server that speaks lifespan; the parts start themselves at their first request.

    At its end the agents' face lets go of what it holds, whatever comes of that.
    """
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
            continue
        try:
            await app.close()
        except Exception:
            logger.exception("The agents' face could not be closed in good order.")
        await send({"type": "lifespan.shutdown.complete"})
        return
