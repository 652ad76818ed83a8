"""The raw ASGI application at /mcp."""

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer that nothing is served here."""
    await send(
        {"type": "http.response.start", "status": 503, "headers": [], "trailers": False}
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})
