"""The edge of the pages: bodies over the limit are refused while they arrive, before Django.

Knows bytes only. The agents' face bounds its own bodies, because it answers in its own words.
"""

from __future__ import annotations

from placet.asgi_types import Application, Message, Receive, Scope, Send

TOO_LARGE = b"The body is larger than this installation accepts (PLACET_MAX_BODY_BYTES).\n"


def bounded(pages: Application, *, limit: int) -> Application:
    """`pages`, never shown more than `limit` bytes of one body."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if _declared(scope) > limit:
            await _refuse(send)
            return
        seen, over = 0, False

        async def counted() -> Message:
            nonlocal seen, over
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    over = True
                    return {"type": "http.disconnect"}  # Django then answers nothing
            return message

        await pages(scope, counted, send)
        if over:
            await _refuse(send)

    return application


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(TOO_LARGE)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": TOO_LARGE})
